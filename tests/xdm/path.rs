use proptest::prelude::*;
use xdm_beacon::fault::Reason;
use xdm_beacon::xdm::path::{Segment, parse};

fn key(name: &str) -> Segment {
    Segment::Key(String::from(name))
}

#[test]
fn paths() {
    for (text, segments) in [
        ("a", &[key("a")][..]),
        ("_id", &[key("_id")]),
        ("a.b[0].c", &[key("a"), key("b"), Segment::Index(0), key("c")]),
        ("_tenant.x", &[key("_tenant"), key("x")]),
        (" a . b [ 0 ] . c\t", &[key("a"), key("b"), Segment::Index(0), key("c")]),
        ("a[0][12]", &[key("a"), Segment::Index(0), Segment::Index(12)]),
        ("a[9999]", &[key("a"), Segment::Index(9999)]),
        ("a b.é-x", &[key("a b"), key("é-x")]),
        ("proto.__proto", &[key("proto"), key("__proto")]),
    ] {
        assert_eq!(parse(text).unwrap(), segments, "{text:?}");
    }
}

#[test]
fn faults() {
    for (text, reason) in [
        ("", Reason::EmptySegment),
        ("   ", Reason::EmptySegment),
        (".", Reason::EmptySegment),
        ("a.", Reason::EmptySegment),
        (".a", Reason::EmptySegment),
        ("a..b", Reason::EmptySegment),
        ("a. .b", Reason::EmptySegment),
        ("[0]", Reason::EmptySegment),
        ("a.[0]", Reason::EmptySegment),
        ("a[", Reason::BadIndex),
        ("a]", Reason::BadIndex),
        ("a[]", Reason::BadIndex),
        ("a[0", Reason::BadIndex),
        ("a[0]b", Reason::BadIndex),
        ("a[[0]]", Reason::BadIndex),
        ("a[0]]", Reason::BadIndex),
        ("a[01]", Reason::BadIndex),
        ("a[00]", Reason::BadIndex),
        ("a[-1]", Reason::BadIndex),
        ("a[+1]", Reason::BadIndex),
        ("a[1.5]", Reason::BadIndex),
        ("a[1e1]", Reason::BadIndex),
        ("a[x]", Reason::BadIndex),
        ("a['b']", Reason::BadIndex),
        ("a[10000]", Reason::BadIndex),
        ("a[99999999999999999999999]", Reason::BadIndex),
        ("a[０]", Reason::BadIndex),
        ("__proto__", Reason::UnsafeKey),
        ("a.__proto__.b", Reason::UnsafeKey),
        ("a. constructor ", Reason::UnsafeKey),
        ("prototype[0]", Reason::UnsafeKey),
    ] {
        let fault = parse(text).unwrap_err();
        assert_eq!((fault.reason, fault.path.as_str()), (reason, text.trim()));
    }
}

#[test]
fn depth_is_bounded() {
    assert_eq!(parse(&["a"; 32].join(".")).unwrap().len(), 32);
    assert_eq!(parse(&["a"; 33].join(".")).unwrap_err().reason, Reason::TooDeep);
    assert_eq!(parse(&format!("a{}", "[0]".repeat(31))).unwrap().len(), 32);
    let fault = parse(&format!("a{}", "[0]".repeat(32))).unwrap_err();
    assert_eq!(fault.reason, Reason::TooDeep);
}

fn segments() -> impl Strategy<Value = Vec<Segment>> {
    let step = ("_?[a-zA-Zé-]{1,6}", prop::collection::vec(0..=9999usize, 0..3));
    prop::collection::vec(step, 1..8).prop_map(|steps| {
        let mut segments = Vec::new();
        for (name, indices) in steps {
            segments.push(key(&name));
            segments.extend(indices.into_iter().map(Segment::Index));
        }
        segments
    })
}

proptest! {
    #[test]
    fn white_space_around_parts_says_nothing(segments in segments(), space in "[ \t\n]{0,2}") {
        prop_assume!(segments.len() <= 32);
        let mut text = String::new();
        for segment in &segments {
            match segment {
                Segment::Key(name) if text.is_empty() => text = format!("{space}{name}{space}"),
                Segment::Key(name) => text += &format!(".{space}{name}{space}"),
                Segment::Index(index) => text += &format!("[{space}{index}]{space}"),
            }
        }
        prop_assert_eq!(parse(&text).unwrap(), segments);
    }

    #[test]
    fn any_text_is_a_path_or_a_fault_with_the_path(text in "\\PC{0,30}|[a-c.\\[\\]0-9 _]{0,16}") {
        match parse(&text) {
            Ok(segments) => {
                prop_assert!((1..=32).contains(&segments.len()));
                prop_assert!(matches!(segments[0], Segment::Key(_)));
            }
            Err(fault) => prop_assert_eq!(fault.path, text.trim()),
        }
    }
}
