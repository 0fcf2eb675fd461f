//! Container images: their tags, and those that the cards cannot carry, because nobody knows their tags.

use super::{Context, Found, Rule};
use crate::engine::Engine;

pub const RULES: &[Rule] = &[
    Rule::error("image-tag", "the tag of an image is one", image_tag),
    Rule::notice("image-pulled", "the cards carry all images", image_pulled),
];

/// Tags as registries take them:
/// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests>.
fn image_tag(context: &Context<'_>) -> Vec<Found> {
    let images = &context.cluster.images;
    let is_tag = |tag: &str| {
        let good = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'.' | b'-');
        (1..=128).contains(&tag.len()) && tag.bytes().all(good) && !tag.starts_with(['.', '-'])
    };
    let tags = [("images.etcd", &images.etcd), ("images.coredns", &images.coredns)];
    let bad =
        tags.into_iter().filter_map(|(path, tag)| Some((path, tag.as_deref().filter(|tag| !is_tag(tag))?)));
    bad.map(|(path, tag)| Found::new(path, format!("`{tag}` is no tag of an image"))).collect()
}

fn image_pulled(context: &Context<'_>) -> Vec<Found> {
    let cluster = context.cluster;
    let is_carried = cluster.carry_images && cluster.engine == Engine::Kubeadm;
    if !is_carried || context.members().next().is_none() {
        return Vec::new();
    }
    let tags = [("etcd", cluster.etcd_tag()), ("coredns", cluster.coredns_tag())];
    let unknown = tags.into_iter().filter(|(_, tag)| tag.is_none());
    let found = |(name, _): (&str, _)| {
        let message = format!(
            "the tag of its image for Kubernetes {} is not known: the first boot pulls it",
            cluster.kubernetes
        );
        Found::new(format!("images.{name}"), message)
            .suggest("`kubeadm config images list` of that release says it")
    };
    unknown.map(found).collect()
}
