use super::*;
use crate::error::Result;
use crate::tree::Node;

/// A tree with a few directories, files and links in it.
struct Etc;

impl Tree for Etc {
    fn node(&self, path: &TreePath) -> Result<Option<Node>> {
        Ok(match path.as_bytes() {
            b"/etc" => Some(Node::Directory),
            b"/etc/there" => Some(Node::File),
            b"/usr" => Some(Node::Directory),
            b"/etc/run" => Some(Node::Symlink(b"/run".to_vec())),
            b"/etc/link" => Some(Node::Symlink(b"../usr".to_vec())),
            b"/etc/dangling" => Some(Node::Symlink(b"nothing".to_vec())),
            b"/var" | b"/var/lib" | b"/var/lib/dpkg" => Some(Node::Directory),
            b"/var/lib/dpkg/info/there:arm64.list" | b"/var/lib/dpkg/alternatives/there" => Some(Node::File),
            _ => None,
        })
    }

    fn read(&self, _: &TreePath) -> Result<Option<Vec<u8>>> {
        Ok(None)
    }
}

fn preinst(body: &str) -> Preinst {
    Preinst::of(Some(format!("#!/bin/sh\nset -e\n{body}\n").as_bytes()), "own", &Etc)
}

#[test]
fn what_only_an_upgrade_would_do_is_idle() {
    for body in [
        "",
        "dpkg-maintscript-helper rm_conffile /etc/x 1.0~ -- \"$@\"",
        "if [ \"$1\" = upgrade ]; then rm /x; fi",
        "case \"$1\" in\n upgrade|abort-upgrade)\n rm /x\n ;;\n install) : ;;\nesac",
        "if [ \"$1\" = \"install\" ] && [ -n \"$2\" ] && [ -e \"/etc/init.d/x\" ]; then chmod +x /etc/init.d/x; fi",
        "if [ -z \"${DPKG_ROOT:-}\" ] && [ \"$1\" = upgrade ] && [ -d /run/x ] ; then\n\trm /x || true\nfi",
        "if [ -z \"$2\" ]; then exit 0; fi\nrm /x",
        "[ \"$1\" != upgrade ] || rm /x",
        "test \"$1\" = upgrade &&\n dpkg --compare-versions \"$2\" le 1 && rm /x || :",
        "if dpkg --compare-versions \"$2\" lt-nl 2; then rm /x; fi",
        "f() { rm /x; }\nif [ \"$1\" = upgrade -a -e /x ]; then f; fi",
        "d=/var/x\nfor i in $(seq 3); do [ ! -e \"$d/f.$i\" ] || cp $d/f.$i \"$d/f.$(($i+1))\"; done",
        "[ -e /etc/x ] && rm /etc/x\n:",
        "kernel=`uname -r`\ncat >&2 <<E\nrm /x\nE",
        // As python3 has it.
        "update-alternatives --auto /usr/bin/python3 >/dev/null 2>&1 || true\n[ -L /usr/x ] || rm -rf /usr/share/x",
        "rm -f /etc/x /usr/y",
        // As libglib2.0-0t64 has it.
        "for a in $(dpkg-query -W -f '${Architecture}\\n' old 2>/dev/null || true); do rm -f -v \"$a\"; done",
        "x=$(dpkg-query -W old || :)\nif [ -n \"$x\" ]; then rm /x; fi",
    ] {
        assert_eq!(preinst(body), Preinst::Idle, "{body}");
    }
}

#[test]
fn what_a_first_installation_may_do_is_listed() {
    for (body, command) in [
        ("rm /x", "rm /x"),
        ("rm -f /etc/there", "rm -f /etc/there"),
        ("rm -f /run/x", "rm -f /run/x"),
        ("rm -f /etc/x /etc/there", "rm -f /etc/x /etc/there"),
        ("rm -f /etc/link/", "rm -f /etc/link/"),
        ("rm -f \"$3\" /etc/x", "rm -f \"$3\" /etc/x"),
        ("rm -fi /etc/x", "rm -fi /etc/x"),
        ("rm -f", "rm -f"),
        ("update-alternatives --auto there || :", "update-alternatives --auto there"),
        ("update-alternatives --remove x /etc/x || :", "update-alternatives --remove x /etc/x"),
        ("for a in $(dpkg-query -W there || :); do rm /x; done", "rm /x"),
        ("for a in $(dpkg-query -W 'o*' || :); do rm /x; done", "rm /x"),
        ("for a in $(dpkg-query -W old || echo a); do rm /x; done", "rm /x"),
        ("for a in $(echo a; dpkg-query -W old || :); do rm /x; done", "rm /x"),
        ("for a in $(dpkg-query -l old || :); do rm /x; done", "rm /x"),
        ("f() {\ncat <<'E'\na\nE\n}\nfor a in $(f); do rm /x; done", "rm /x"),
        // The message is output then.
        ("for a in $(dpkg-query -W old 2>&1 || :); do rm /x; done", "rm /x"),
        ("f() { dpkg-query -W old || :; }\nfor a in $(f 2>&1); do rm /x; done", "rm /x"),
        ("if [ \"$1\" = install ]; then adduser --system x; fi", "adduser --system x"),
        ("if [ -e /etc/there ]; then rm /x; fi", "rm /x"),
        ("if [ ! -e /etc/x ]; then rm /x; fi", "rm /x"),
        ("if [ -e /run/x ]; then rm /x; fi", "rm /x"),
        ("if dpkg --compare-versions \"$2\" lt 2; then rm /x; fi", "rm /x"),
        ("case $1 in install) rm /x;; esac", "rm /x"),
        ("case $1 in *) rm /x;; esac", "rm /x"),
        ("case $UNKNOWN in '') rm /x;; esac", "rm /x"),
        ("[ -e /etc/there ] && exit 0\nrm /x", "rm /x"),
        ("if [ -e /etc/there ] && [ \"$1\" = install ]; then rm /x; fi", "rm /x"),
        ("if [ -e /etc/there ] || [ \"$1\" = upgrade ]; then rm /x; fi", "rm /x"),
        ("f() { rm /x; }\nf", "rm /x"),
        ("x=$(rm /x)", "rm /x"),
        ("echo \"`rm /x`\"", "rm /x"),
        ("for x in a b; do rm /x; done", "rm /x"),
        ("! rm /x", "rm /x"),
        ("true | rm /x", "rm /x"),
        ("( rm /x )", "rm /x"),
        ("echo x > /etc/x", "echo x > (opens a file)"),
        ("{ echo x; } > /etc/x", "> (opens a file)"),
        (". /usr/share/debconf/confmodule", ". /usr/share/debconf/confmodule"),
    ] {
        assert_eq!(preinst(body), Preinst::Active(vec![command.to_owned()]), "{body}");
    }
}

#[test]
fn what_a_shell_makes_of_a_script_is_seen() {
    for body in [
        "f() { [ \"$1\" = install ] || rm /x; }\nf other",
        "shift\n[ \"$1\" = install ] || rm /x",
        "set -- upgrade\nif [ \"$1\" = upgrade ]; then rm /x; fi",
        "x=a\nunset x\nif [ -z \"$x\" ]; then rm /x; fi",
        "case \"$1\" in i?stall) rm /x;; esac",
        "case \"$1\" in *stall) rm /x;; esac",
        "if [ a = a -o b = c -a d = e ]; then rm /x; fi",
        "cat <<E\n$(rm /x)\nE",
        "echo ''$(rm /x)",
        "( set -- upgrade; [ \"$1\" = install ] || rm /x )",
        "x=upgrade\n( x=install )\n[ $x = install ] || rm /x",
        "for x in upgrade install; do [ $x != install ] || rm /x; done",
        "x=$(false) || rm /x",
        "echo() { rm /x; }\necho",
    ] {
        assert!(matches!(preinst(body), Preinst::Active(_)), "{body}");
    }
}

#[test]
fn what_is_not_known_is_active() {
    for body in [
        "eval :",
        "trap 'rm /x' EXIT",
        "alias true=rm",
        ". /x",
        "exec true",
        "true &",
        "IFS=a",
        "PATH=/x",
        ": </etc/passwd",
        "cd /",
        "read x",
        ": ${x:=rm}",
        "echo $((1+1))",
        "echo ${x#y}",
        "while [ -e /run/x ]; do :; done",
        "set -f",
        "unset -f f",
        "command rm",
        "DPKG_ROOT=/x",
        "dpkg-maintscript-helper rm_conffile /x 1 -- upgrade 0",
        "exit 1",
        "grep -q x /etc/there",
        "false",
        "set -u\necho \"$OUTSIDE\"",
        "f() { f; }\nf",
        "test -e /run/x && echo",
        "true >&3",
        "shift 2",
    ] {
        assert!(matches!(preinst(body), Preinst::Active(_)), "{body}");
    }
}

#[test]
fn what_cannot_matter_is_idle() {
    for body in [
        "f() { local x=$1; [ \"$x\" = upgrade ] || return 0; rm /x; }\nf \"$@\"",
        "for x in a b; do [ -e \"/etc/none/$x\" ] || continue; rm /x; done",
        "if grep -q x /etc/there; then echo yes; fi",
        "x=\"$(readlink -f /etc/there || true)\"\necho $x >&2",
        "set -u\ncase \"$1\" in abort-*|upgrade) rm /x;; install) ;; *) exit 1;; esac",
        "set -- \"$@\" more\nshift\n[ \"$1\" = more ] || rm /x",
        "dpkg-maintscript-helper supports rm_conffile || :",
        "DPKG_MAINTSCRIPT_NAME=${DPKG_MAINTSCRIPT_NAME:=preinst} dpkg-maintscript-helper rm_conffile /x -- \"$@\"",
    ] {
        assert_eq!(preinst(body), Preinst::Idle, "{body}");
    }
}

#[test]
fn scripts_that_grow_without_end_are_given_up() {
    let calls: String =
        (1..16).map(|n| format!("f{n}() {{ {} }}\n", format!("f{}; ", n - 1).repeat(20))).collect();
    let deep = |n: usize| format!("{} f{n} || :{}", "if [ $x ]; then ".repeat(60), "; fi".repeat(60));
    let functions: String = (1..20).map(|n| format!("f{n}() {{ {}; }}\n", deep(n - 1))).collect();
    let many = |piece: &str| piece.repeat(100_000 / piece.len());
    let variables: String = (0..1000).map(|n| format!("v{n}=a\n")).collect();
    for body in [
        format!("f0() {{ :; }}\n{calls}f15"),
        format!("f0() {{ :; }}\n{functions}f19 || :"),
        format!("case $x in {} esac", many("a) ;; ")),
        format!("if [ $x ]; then :; {} fi", many("elif [ $x ]; then :; ")),
        format!("case $x in {}b) ;; esac", many("a|")),
        format!("{variables}{}", many("[ $x ] || :\n")),
        format!("for x in a b; do {} done", many("x=$(echo $x | cat) || :; ")),
        many(": a long script\n").repeat(2),
    ] {
        let judged = preinst(&body);
        let head: String = body.chars().take(60).collect();
        assert!(matches!(&judged, Preinst::Active(commands) if commands.len() < 5), "{judged:?} {head}");
    }
    // These end; nothing of what they hold is known any more.
    for body in [
        format!("x=a\n{}[ $x != a ] || rm /x", "x=$x$x\n".repeat(100)),
        format!("set -- a b\n{}[ $# = 2 ] && rm /x", "set -- \"$@\" \"$@\"\n".repeat(100)),
    ] {
        assert!(matches!(preinst(&body), Preinst::Active(_)), "{body}");
    }
}

/// Each way through a script has a copy of all that is known on it: a few hundred ways and a megabyte are too much.
#[test]
fn scripts_that_know_too_much_are_given_up() {
    let megabyte = format!("x=aaaaaaaaaaaaaaaa\n{}set -- {}\n", "x=$x$x\n".repeat(8), "\"$x\" ".repeat(250));
    let functions: String = (0..4000).map(|n| format!("f{n}() {{ :; }}\n")).collect();
    let ways = "[ \"$y\" ] || :\n".repeat(2000);
    assert_eq!(preinst(&ways), Preinst::Idle);
    for body in [
        format!("{megabyte}{}", "[ \"$y\" ] || :\n".repeat(200)),
        format!("{megabyte}{}", "( : )\n".repeat(200)),
        format!("{megabyte}{}", ": \"$@\"\n".repeat(200)),
        format!("{megabyte}for i in a; do {} done", "[ \"$y\" ] || break\n".repeat(200)),
        format!("{functions}{ways}"),
    ] {
        let Preinst::Active(commands) = preinst(&body) else { panic!("idle") };
        assert!(
            commands.iter().any(|command| command.contains("more than can be looked at")),
            "{commands:?}"
        );
    }
}

#[test]
fn loops_are_left_by_what_leaves_them() {
    for body in [
        "for x in a b; do while break; do :; done; rm /x; done",
        "for x in a b; do until ! break; do :; done; rm /x; done",
        "while continue; do :; done",
        "for x in a b; do while { [ $y ] && continue; }; do break; done; done",
    ] {
        assert!(matches!(preinst(body), Preinst::Active(_)), "{body}");
    }
    assert_eq!(preinst("while break; do rm /x; done"), Preinst::Idle);
}

#[test]
fn a_variable_that_is_local_on_one_way_only_is_not_known() {
    for body in [
        "x=a\nf() { if [ $y ]; then local x; fi; x=b; }\nf\n[ $x = a ] || rm /x",
        "f() { [ -z $y ] || { x=c; return 0; }; local x=d; }\nx=a\nf\n[ $x = a ] || rm /x",
        "x=a\nf() { x=b; local x=c; local x=d; }\nf\n[ $x = a ] || rm /x",
        "x=a\nf() { for y in 1 2; do x=b; local x=c; done; }\nf\n[ $x = a ] || rm /x",
        "local x=a",
        "y='a b'\nf() { local x=$y; }\nf",
    ] {
        assert!(matches!(preinst(body), Preinst::Active(_)), "{body}");
    }
    for body in [
        "x=a\nf() { local x; x=b; g; }\ng() { x=c; }\nf\n[ $x = a ] || rm /x",
        "x=a\nf() { local x=b; [ $y ] || return 0; x=c; }\nf\n[ $x = a ] || rm /x",
    ] {
        assert_eq!(preinst(body), Preinst::Idle, "{body}");
    }
}

#[test]
fn a_command_that_may_fail_is_no_success() {
    for body in [
        "seq x",
        "tr a",
        "cut -z",
        "basename",
        "basename -x",
        "basename $0",
        "dirname --x /a",
        "uname --x",
        "x=$(seq $y)",
        "dpkg-divert --truename",
        "dpkg-divert --truename a",
        "dpkg-divert --truename /a /b",
        "dpkg-divert --listpackage $x",
        "dpkg-divert --list --add",
        "dpkg-maintscript-helper rm_conffile etc/x 1 -- install",
        "dpkg-maintscript-helper rm_conffile /etc/x not:a:version -- install",
        "dpkg-maintscript-helper symlink_to_dir /etc/x/ a 1 -- install",
        "dpkg-maintscript-helper dir_to_symlink /etc/x -- install",
        "if dpkg --compare-versions \"$2\" gt '<unknown>'; then rm /x; fi",
        "touch /etc/none/x",
        "touch /etc/there/x",
        "touch /etc/x/",
        "mkdir -p /etc/there/x",
        "mkdir -p /etc/dangling/x",
        "touch /etc/x\nmkdir -p /etc/x/y",
        "dpkg-divert --add --no-rename /etc",
    ] {
        assert!(matches!(preinst(body), Preinst::Active(_)), "{body}");
    }
    assert_eq!(preinst("x=$(basename /a/b)\ny=$(uname -r)\ndpkg-divert --truename /a"), Preinst::Idle);
}

#[test]
fn what_is_run_only_perhaps_is_not_done_in_its_place() {
    for body in [
        "x=$(grep -q a /etc/there; mkdir -p /var/x) || :",
        "( grep -q a /etc/there; mkdir -p /var/x )",
        ": ${y:-$(mkdir -p /var/x)}",
        "case a in $y|$(mkdir -p /var/x)) ;; esac",
        "mkdir -p /var/x | { [ ! -e /var/x ] || :; }",
    ] {
        assert!(matches!(preinst(body), Preinst::Active(_)), "{body}");
    }
}

#[test]
fn quotes_count_in_the_patterns_of_a_default() {
    let judged = |pattern: &str| preinst(&format!("x=\ncase $1 in {pattern}) rm /x;; esac"));
    for pattern in ["${x:-\"*\"}", "${x:-'i*'}", "\"${x:-*}\"", "\"*\""] {
        assert_eq!(judged(pattern), Preinst::Idle, "{pattern}");
    }
    for pattern in ["${x:-*}", "${x:-i*}", "${x:-i\"nstal\"?}", "${y:-\"*\"}"] {
        assert!(matches!(judged(pattern), Preinst::Active(_)), "{pattern}");
    }
    let other = "x=\ncase $1 in ${x:-\"*\"}) ;; *) rm /x;; esac";
    assert!(matches!(preinst(other), Preinst::Active(_)));
}

#[test]
fn of_other_file_systems_the_image_tells_nothing() {
    for path in ["/run/x", "/boot/x", "/boot/firmware/x", "/tmp/x", "/etc/run/x", "/etc/run/../x"] {
        let asks = format!("if [ -e {path} ]; then rm /x; fi");
        assert_eq!(preinst(&asks), Preinst::Active(vec!["rm /x".to_owned()]), "{path}");
        assert!(matches!(preinst(&format!("mkdir -p {path}")), Preinst::Active(_)), "{path}");
    }
    assert_eq!(preinst("if [ -e /running/x ]; then rm /x; fi"), Preinst::Idle);
    assert!(matches!(preinst("mkdir -p /etc/link/x\n[ ! -e /usr/x ] || rm /x"), Preinst::Active(_)));
}

#[test]
fn diversions_count_where_they_are_certain_and_move_nothing() {
    let divert = |options: &str| format!("dpkg-divert --add {options} --divert /etc/to /etc/from");
    let expected =
        Diversion { from: b"/etc/from".to_vec(), to: b"/etc/to".to_vec(), package: Some("own".into()) };
    for body in [
        divert("--no-rename"),
        divert("--rename"),
        format!("if [ \"$1\" = install ]; then {}; fi", divert("--no-rename")),
    ] {
        assert_eq!(preinst(&body), Preinst::Imitated(vec![Effect::Divert(expected.clone())]), "{body}");
    }
    for body in [
        format!("if [ -e /etc/there ]; then {}; fi", divert("--no-rename")),
        format!("[ -e /etc/there ] && exit 0\n{}", divert("--no-rename")),
        "dpkg-divert --rename --add /etc/there".to_owned(),
        "dpkg-divert --add \"$x\"".to_owned(),
        "dpkg-divert --remove /etc/from".to_owned(),
        format!("rm /x\n{}", divert("--no-rename")),
    ] {
        assert!(matches!(preinst(&body), Preinst::Active(_)), "{body}");
    }
}

#[test]
fn new_directories_and_empty_files_are_imitated() {
    let path = |path: &str| TreePath::from_absolute(path.as_bytes()).unwrap();
    assert_eq!(
        preinst("if [ ! -f /etc/x ]; then mkdir -p /var/x\ntouch /etc/x; fi"),
        Preinst::Imitated(vec![Effect::Directory(path("/var/x")), Effect::EmptyFile(path("/etc/x"))])
    );
    // A directory that is there stays as it is, whether it is asked for or not.
    assert_eq!(preinst("[ -d /etc ] || mkdir -p /etc\nmkdir -p /etc/link"), Preinst::Idle);
    for body in [
        "touch /etc/there",
        "mkdir /var/x",
        "mkdir -m 700 /x",
        "touch -r /y /x",
        "[ -e /etc/there ] && touch /x",
    ] {
        assert!(matches!(preinst(body), Preinst::Active(_)), "{body}");
    }
}

#[test]
fn what_cannot_be_read_is_said_to_be() {
    assert_eq!(preinst("if true"), Preinst::Unreadable);
    assert_eq!(preinst("a && "), Preinst::Unreadable);
    assert_eq!(preinst("'"), Preinst::Unreadable);
    for deep in ["( ", "! ", "a() { ", "if "] {
        assert_eq!(preinst(&deep.repeat(20_000)), Preinst::Unreadable, "{deep}");
    }
    for line in [
        "#!/usr/bin/perl",
        "#!/bin/bash",
        "#!/bin/sh --",
        "#!/bin/sh -",
        "#!/bin/sh -c",
        "#!/bin/sh -e -u",
        "#!/bin/sh -o errexit",
        "#!/bin/sh\r",
        "#!/usr/bin/env sh",
        " #!/bin/sh",
    ] {
        let script = format!("{line}\n:\n");
        assert_eq!(Preinst::of(Some(script.as_bytes()), "own", &Etc), Preinst::Unreadable, "{line}");
    }
    for line in ["#!/bin/sh", "#! /bin/sh -e", "#!/bin/dash -eu ", "#!\t/bin/sh\t-x"] {
        let script = format!("{line}\n:\n");
        assert_eq!(Preinst::of(Some(script.as_bytes()), "own", &Etc), Preinst::Idle, "{line}");
    }
    assert_eq!(Preinst::of(Some(b"\x7fELF\xff"), "own", &Etc), Preinst::Unreadable);
    assert_eq!(Preinst::of(None, "own", &Etc), Preinst::Absent);
}

proptest::proptest! {
    #[test]
    fn foreign_text_never_panics(text in "[ifesac$(){}|&;<>'\"`\\\\\n ]{0,40}") {
        let _ = preinst(&text);
    }
}
