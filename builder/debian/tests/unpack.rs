//! The plan against dpkg itself: the same packages into copies of the same base, compared file by file.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use imgforge_debian::{Error, Limits, Package, Plan, Result, plan_unpack};
use support::root::{Root, is_root};
use support::{Recipe, run, shell};

fn native() -> String {
    run(Command::new("dpkg").arg("--print-architecture")).trim().to_owned()
}

/// dpkg on a root of its own, without scripts of the host and without triggers, which need scripts too.
fn dpkg(root: &Path) -> Command {
    let mut command = if is_root() { Command::new("dpkg") } else { Command::new("fakeroot") };
    if !is_root() {
        command.arg("dpkg");
    }
    command.arg(format!("--root={}", root.display()));
    command.args(["--force-script-chrootless", "--force-not-root", "--log=/dev/null", "--no-triggers"]);
    command.env("LC_ALL", "C");
    command
}

struct Scenario {
    directory: tempfile::TempDir,
}

impl Scenario {
    /// A base with merged /usr, in which dpkg installed one package.
    fn new(base: &Recipe) -> Self {
        let directory = tempfile::tempdir().unwrap();
        shell(
            directory.path(),
            "umask 022; mkdir -p base/var/lib/dpkg/info base/var/lib/dpkg/updates base/var/lib/dpkg/triggers \
               base/tmp base/etc base/usr/bin base/usr/lib base/usr/share/real
             ln -s usr/bin base/bin; ln -s usr/lib base/lib; ln -s real base/usr/share/alias
             : > base/var/lib/dpkg/status; dpkg --print-architecture > base/var/lib/dpkg/arch
             printf 'root:x:0:0::/:/bin/sh\\n' > base/etc/passwd; printf 'root:x:0:\\nadm:x:4:\\n' > base/etc/group",
        );
        let scenario = Scenario { directory };
        let deb = base.build(&scenario.directory.path().join("base-deb"), "none");
        run(dpkg(&scenario.root("base")).arg("--install").arg(deb));
        scenario
    }

    fn root(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn prepare(&self, script: &str) {
        shell(&self.root("base"), script);
    }

    fn build(&self, recipes: &[Recipe]) -> Vec<PathBuf> {
        recipes.iter().map(|recipe| recipe.build(self.directory.path(), "xz")).collect()
    }

    fn plan(&self, debs: &[PathBuf]) -> (Result<Plan>, Vec<Vec<u8>>) {
        let mut contents = Vec::new();
        let packages: Vec<Package> = debs
            .iter()
            .map(|deb| {
                let mut bytes = Vec::new();
                let file = std::fs::File::open(deb).unwrap();
                let visit =
                    |_: &_, content: &mut dyn std::io::Read| content.read_to_end(&mut bytes).map(drop);
                let package = Package::read(file, &Limits::default(), visit).unwrap();
                contents.push(bytes);
                package
            })
            .collect();
        (plan_unpack(&Root(self.root("base")), &packages), contents)
    }

    /// The options in the base's own configuration: dpkg reads that of the host.
    fn configured(&self) -> Vec<String> {
        let lines = shell(&self.root("base"), "cat etc/dpkg/dpkg.cfg.d/[a-z]* etc/dpkg/dpkg.cfg 2>&- || :");
        lines.lines().map(|line| format!("--{line}")).collect()
    }

    /// Unpacks with dpkg and with a plan; both trees must be equal.
    fn compare(&self, recipes: &[Recipe]) {
        let debs = self.build(recipes);
        shell(self.directory.path(), "cp -a base theirs; cp -a base ours");
        run(dpkg(&self.root("theirs")).args(self.configured()).arg("--unpack").args(&debs));
        let (plan, contents) = self.plan(&debs);
        let ours = Root(self.root("ours"));
        ours.apply(&plan.unwrap(), &contents);

        let theirs = Root(self.root("theirs")).listing();
        let ours = ours.listing();
        let paths = |listing: &std::collections::BTreeMap<PathBuf, String>| {
            listing.keys().cloned().collect::<Vec<_>>()
        };
        assert_eq!(paths(&ours), paths(&theirs));
        for (path, line) in theirs {
            assert_eq!(ours[&path], line, "{}", path.display());
        }
    }

    /// Both must refuse.
    fn refuse(&self, recipes: &[Recipe]) -> Error {
        let debs = self.build(recipes);
        shell(self.directory.path(), "cp -a base theirs");
        let theirs = dpkg(&self.root("theirs")).arg("--unpack").args(&debs).output().unwrap();
        assert!(!theirs.status.success(), "dpkg accepts it");
        self.plan(&debs).0.unwrap_err()
    }
}

const BASE: Recipe = Recipe {
    name: "base",
    architecture: "all",
    fields: "Provides: something\n",
    script: "mkdir -p usr/share/watched usr/share/real etc; echo base > usr/share/real/file
             echo kept > usr/share/real/kept; echo c > etc/base.conf; echo /etc/base.conf > DEBIAN/conffiles
             printf 'interest-noawait /usr/share/watched\\ninterest explicit\\ninterest /etc/watched\\n' > DEBIAN/triggers",
};

#[test]
fn files_links_modes_and_conffiles() {
    let native = native();
    Scenario::new(&BASE).compare(&[Recipe {
        name: "everyday",
        architecture: &native,
        fields: "Multi-Arch: same\nPriority: optional\nSection: misc\nInstalled-Size: 7\nSource: src (2)\n\
                 Homepage: http://example.org\nX-Tag: a::b\n c::d\nDepends: base (>=1),\n base|other:any, c(<<2)\n\
                 Pre-Depends:   base\nRecommends: r1|r2\nSuggests: s\nEnhances: e\nBreaks: br (<< 2)\nConflicts: cf\n\
                 Provides: pv (= 1)\nReplaces: rp\nEssential: no\nOrigin: o\nBugs: mailto:x@example.org\n",
        script: "mkdir -p usr/bin usr/share/everyday/deep etc/everyday bin lib/unit var/empty
             echo b > usr/bin/tool; chmod 4755 usr/bin/tool; ln usr/bin/tool usr/bin/tool2; ln usr/bin/tool bin/tool3
             echo m > bin/merged; echo u > lib/unit/x.service; ln -s ../bin/tool usr/bin/soft; chmod 1777 var/empty
             ln -s /nowhere usr/share/everyday/dangling; echo x > 'usr/share/everyday/a name with blanks'
             echo c > etc/everyday/a.conf; echo d > etc/everyday/b.conf
             printf '/etc/everyday/b.conf\\n/etc/everyday/a.conf\\nremove-on-upgrade /etc/gone\\n' > DEBIAN/conffiles
             for s in postinst prerm postrm; do printf '#!/bin/sh\\nexit 0\\n' > DEBIAN/$s; chmod 755 DEBIAN/$s; done
             echo 'libx 1 everyday' > DEBIAN/shlibs; touch -d @1500000000 usr/bin/tool",
    }]);
}

#[test]
fn links_to_directories_stay() {
    let scenario = Scenario::new(&BASE);
    scenario.compare(&[
        Recipe {
            name: "through-links",
            architecture: "all",
            fields: "",
            script: "mkdir -p usr/share/alias; echo a > usr/share/alias/through
                 mkdir -p DEBIAN; cd usr/share && ln -s elsewhere real; cd ../..; echo 'x  y' > DEBIAN/md5sums",
        },
        Recipe {
            name: "same-link",
            architecture: "all",
            fields: "",
            script: "mkdir -p usr/share; ln -s ./real usr/share/alias; ln -s real usr/share/alias2",
        },
    ]);
}

/// File names are bytes: not UTF-8, blanks, what a terminal would obey.
#[test]
fn names_of_any_bytes_unpack() {
    let scenario = Scenario::new(&BASE);
    scenario.compare(&[Recipe {
        name: "odd-names",
        architecture: "all",
        fields: "",
        script: r#"name=$(printf 'a\377\303 \033[2J b'); mkdir -p usr/share/odd "etc/$(printf 'd\200')"; cd usr/share/odd
             echo a > "$name"; ln "$name" "$name.hard"; ln -s "$name" "$name.soft"; echo b > 'back\slash'"#,
    }]);
}

/// Images made small lack directories that their packages list: `/usr/share/man`.
#[test]
fn a_listed_directory_that_was_taken_away_is_made_again() {
    let scenario = Scenario::new(&BASE);
    scenario.prepare("rm -r usr/share/watched");
    let script = "mkdir -p usr/share/watched; echo w > usr/share/watched/f";
    scenario.compare(&[Recipe { name: "again", architecture: "all", fields: "", script }]);
}

#[test]
fn triggers_are_left_pending_and_awaited() {
    let native = native();
    Scenario::new(&BASE).compare(&[
        Recipe {
            name: "activates",
            architecture: &native,
            fields: "Multi-Arch: same\nHomepage: http://example.org\n",
            script: "mkdir -p usr/share/watched/sub etc; echo w > usr/share/watched/sub/f; echo w > etc/watched
                 printf '# why\\nactivate explicit\\nactivate-noawait nobody\\n\\ninterest /usr/share/own\\n' > DEBIAN/triggers
                 printf 'interest-noawait own\\n' >> DEBIAN/triggers",
        },
        Recipe {
            name: "second",
            architecture: "all",
            fields: "",
            script: "mkdir -p usr/share/own usr/share/watched; echo w > usr/share/own/f; echo w > usr/share/watched/g
                 printf 'interest own\\nactivate own\\nactivate-noawait explicit\\n' > DEBIAN/triggers",
        },
    ]);
}

#[test]
fn replaces_takes_files_over_and_yields_them() {
    let base = Recipe { fields: "Replaces: loser\n", ..BASE };
    Scenario::new(&base).compare(&[
        Recipe {
            name: "winner",
            architecture: "all",
            fields: "Replaces: base (<< 2)\n",
            script: "mkdir -p usr/share/real; echo winner > usr/share/real/file; ln usr/share/real/file usr/share/real/more",
        },
        Recipe {
            name: "loser",
            architecture: "all",
            fields: "",
            script: "mkdir -p usr/share/real; echo loser > usr/share/real/kept; echo own > usr/share/real/own",
        },
    ]);
}

#[test]
fn diversions_and_statoverrides_are_honoured() {
    let scenario = Scenario::new(&BASE);
    scenario.prepare(
        "printf '/usr/bin/a\\n/usr/bin/a.distrib\\n:\\n/usr/bin/b\\n/usr/bin/b.real\\nother\\n' > var/lib/dpkg/diversions
         printf '/usr/bin/c\\n/usr/bin/c.base\\nmoved\\n' >> var/lib/dpkg/diversions
         printf '#0 adm 2755 /usr/bin/a\\nroot #0 0700 /usr/share/private\\nroot adm 640 /usr/bin/b.real\\nroot adm 600 /etc/d\\n' > var/lib/dpkg/statoverride",
    );
    scenario.compare(&[Recipe {
        name: "moved",
        architecture: "all",
        fields: "",
        script: "mkdir -p usr/bin usr/share/private; for f in a b c; do echo $f > usr/bin/$f; done
             ln usr/bin/a usr/bin/a2; mkdir -p etc; echo d > etc/d; echo /etc/d > DEBIAN/conffiles",
    }]);
}

#[test]
fn paths_that_dpkg_is_told_to_leave_out_are_left_out() {
    let scenario = Scenario::new(&BASE);
    scenario.prepare(
        "mkdir -p etc/dpkg/dpkg.cfg.d; echo 'path-exclude=/usr/share/doc/*' > etc/dpkg/dpkg.cfg.d/a
         echo 'path-include=/usr/share/doc/*/copyright' > etc/dpkg/dpkg.cfg.d/b
         echo 'path-exclude=/usr/bin/*' > etc/dpkg/dpkg.cfg.d/.ignored
         printf 'path-exclude=/usr/share/man*\\npath-exclude=/etc/*.conf\\n' > etc/dpkg/dpkg.cfg",
    );
    scenario.compare(&[Recipe {
        name: "documented",
        architecture: "all",
        fields: "",
        script: "mkdir -p usr/bin usr/share/doc/documented/html usr/share/man/man1 etc usr/share/watched
                 echo a > usr/bin/a; ln -s html usr/share/doc/documented/link; echo c > etc/left-out.conf
                 echo a > usr/share/doc/documented/copyright; echo a > usr/share/doc/documented/html/x
                 echo /etc/left-out.conf > DEBIAN/conffiles; echo a > usr/share/man/man1/a.1",
    }]);
}

#[test]
fn diversions_of_a_preinst_are_added_in_its_place() {
    let script =
        "mkdir -p usr/bin; echo d > usr/bin/d; echo '#!/bin/sh' > DEBIAN/preinst; chmod 755 DEBIAN/preinst
         echo 'dpkg-divert --quiet --add --no-rename --divert /usr/bin/d.real /usr/bin/d' >> DEBIAN/preinst";
    Scenario::new(&BASE).compare(&[
        Recipe { name: "diverter", architecture: "all", fields: "", script },
        Recipe {
            name: "other",
            architecture: "all",
            fields: "",
            script: "mkdir -p usr/bin; echo o > usr/bin/d",
        },
    ]);
}

/// dpkg's file would have the time of its run, so there is nothing to compare with.
#[test]
fn directories_and_empty_files_of_a_preinst_are_made_in_its_place() {
    let script =
        "mkdir -p usr/bin; echo d > usr/bin/d; echo '#!/bin/sh' > DEBIAN/preinst; chmod 755 DEBIAN/preinst
         echo 'mkdir -p /lib/made/deep; touch /usr/lib/made/stamp' >> DEBIAN/preinst";
    let scenario = Scenario::new(&BASE);
    let debs = scenario.build(&[Recipe { name: "x", architecture: "all", fields: "", script }]);
    let plan = scenario.plan(&debs).0.unwrap();
    let paths: Vec<String> = plan.operations.iter().map(|operation| operation.path.to_string()).collect();
    assert_eq!(paths, ["/usr/lib/made", "/usr/lib/made/deep", "/usr/lib/made/stamp", "/usr/bin/d"]);
}

/// A `preinst` that makes a file finds what packages before it have brought, conffiles and links too.
#[test]
fn a_preinst_is_judged_by_what_the_packages_before_have_brought() {
    fn recipe<'a>(name: &'a str, script: &'a str) -> Recipe<'a> {
        Recipe { name, architecture: "all", fields: "", script }
    }
    let brings =
        || recipe("first", "mkdir -p usr/lib; echo kept > usr/lib/stamp; ln -s nowhere usr/lib/link");
    let conffile =
        || recipe("first", "mkdir -p etc; echo kept > etc/stamp; echo /etc/stamp > DEBIAN/conffiles");
    let preinst = |line: &str| {
        format!("printf '#!/bin/sh\\nset -e\\n%s\\n' '{line}' > DEBIAN/preinst; chmod 755 DEBIAN/preinst")
    };
    for (before, line) in [
        (&brings as &dyn Fn() -> Recipe<'static>, "touch /usr/lib/stamp"),
        (&brings, "mkdir -p /usr/lib/stamp/deeper"),
        (&brings, "mkdir -p /usr/lib/link"),
        (&brings, "[ ! -e /usr/lib/stamp ] || rm /usr/lib/stamp"),
        (&conffile, "touch /etc/stamp"),
    ] {
        let script = preinst(line);
        let judged = || recipe("judged", &script);
        let scenario = Scenario::new(&BASE);
        assert!(scenario.plan(&scenario.build(&[judged()])).0.is_ok(), "{line}");
        let debs = scenario.build(&[before(), judged()]);
        let error = scenario.plan(&debs).0.unwrap_err().to_string();
        assert!(
            error.starts_with("not supported offline: judged: after the packages before it, "),
            "{error}"
        );
    }
}

#[test]
fn a_package_may_bring_nothing_but_itself() {
    let recipe = |name, script| Recipe { name, architecture: "all", fields: "", script };
    Scenario::new(&BASE).compare(&[recipe("empty", ""), recipe("directory", "mkdir opt; chmod 2750 opt")]);
}

#[test]
fn what_dpkg_refuses_is_refused() {
    let simple = |name, fields, script| Recipe { name, architecture: "all", fields, script };
    let overwrites = "mkdir -p usr/share/real; echo x > usr/share/real/file";
    let error = Scenario::new(&BASE).refuse(&[simple("thief", "", overwrites)]);
    assert_eq!(
        error.to_string(),
        "conflict: thief: tries to overwrite /usr/share/real/file, which is also in base"
    );

    let one = "mkdir -p usr/bin; echo x > usr/bin/x";
    let error = Scenario::new(&BASE).refuse(&[simple("one", "", one), simple("two", "", one)]);
    assert_eq!(error.to_string(), "conflict: two: tries to overwrite /usr/bin/x, which is also in one");

    let foreign = Recipe { architecture: "m68k", ..simple("foreign", "", one) };
    assert!(matches!(Scenario::new(&BASE).refuse(&[foreign]), Error::Conflict(_)));

    let scenario = Scenario::new(&BASE);
    scenario.prepare("printf '/usr/bin/a\\n/usr/bin/x\\n:\\n' > var/lib/dpkg/diversions");
    assert!(matches!(scenario.refuse(&[simple("on-diverted", "", one)]), Error::Conflict(_)));
}

#[test]
fn upgrades_are_refused() {
    let scenario = Scenario::new(&BASE);
    let debs = scenario.build(&[BASE]);
    let error = scenario.plan(&debs).0.unwrap_err();
    assert_eq!(
        error.to_string(),
        "not supported offline: base 1.0-1 all: the base has base 1.0-1 all (Installed); \
         replacing an installed package offline is not possible"
    );
}

#[test]
fn links_of_the_base_cannot_lead_out_of_it() {
    let scenario = Scenario::new(&BASE);
    scenario.prepare("ln -s ../../../../../../../../outside usr/share/escape; mkdir outside");
    let script = "mkdir -p usr/share/escape; echo x > usr/share/escape/file";
    let debs = scenario.build(&[Recipe { name: "x", architecture: "all", fields: "", script }]);
    let plan = scenario.plan(&debs).0.unwrap();
    assert_eq!(plan.operations.last().unwrap().path.to_string(), "/outside/file");
}
