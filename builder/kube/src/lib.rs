//! What a node needs to become part of a Kubernetes cluster.
