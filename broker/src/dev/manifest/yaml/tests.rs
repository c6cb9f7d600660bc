//! Documents, places, faults and bounds.

use super::*;

fn json(text: &str) -> Value {
    let (documents, faults) = parse(text);
    assert_eq!(faults, [], "{text}");
    Value::Array(documents.iter().map(Node::to_json).collect())
}

fn fault(text: &str) -> String {
    let (_, faults) = parse(text);
    let [fault] = faults.as_slice() else { panic!("one fault of {text:?}: {faults:?}") };
    format!("{}: {}", fault.position, fault.reason)
}

#[test]
fn documents_keys_aliases_and_merges_become_json() {
    assert_eq!(
        json("a: 1\n---\n# nothing\n---\n[x, 'y', !!str 5]"),
        serde_json::json!([
            {"a": 1}, null, ["x", "y", "5"]
        ])
    );
    assert_eq!(json("1: on\ntrue: |\n  text\n"), serde_json::json!([{"1": true, "true": "text\n"}]));
    assert_eq!(json("a: &x {b: 1}\nc: *x"), serde_json::json!([{"a": {"b": 1}, "c": {"b": 1}}]));
    assert_eq!(
        json("a: &x {b: 1, c: 1}\nd: &y {b: 2, e: 2}\nf: {<<: [*x, *y], c: 3}"),
        serde_json::json!([{"a": {"b": 1, "c": 1}, "d": {"b": 2, "e": 2}, "f": {"b": 1, "c": 3, "e": 2}}])
    );
}

#[test]
fn every_node_has_its_place() {
    let (documents, _) = parse("a:\n  - b\n  - c: 'd'\n");
    let list = documents[0].entry("a").unwrap();
    assert_eq!(list.key_position, Position { line: 1, column: 1 });
    let Content::List(items) = &list.node.content else { panic!("a list") };
    assert_eq!(items[0].position, Position { line: 2, column: 5 });
    assert_eq!(items[1].entry("c").unwrap().node.position, Position { line: 3, column: 8 });
}

#[test]
fn faults_name_their_place() {
    assert_eq!(fault("a: 1\na: 2\n"), "2:1: the key \"a\" stands at 1:1 already");
    assert_eq!(fault("a: *b\n"), "1:4: not YAML: while parsing node, found unknown anchor");
    assert_eq!(fault("[a]: 1\n"), "1:1: a key must be a scalar");
    assert_eq!(fault("a: !thing 1\n"), "1:4: the tag !thing is not one of YAML's own");
    assert_eq!(fault("a: !!int b\n"), "1:4: \"b\" is not int, as its tag says");
    assert_eq!(fault("a: {<<: 1}\n"), "1:9: << takes maps only");
    assert_eq!(fault("y: 1\n"), "1:1: the key y means true in YAML: put it in quotes");
    assert_eq!(fault("010: 1\n"), "1:1: the key 010 means 8 in YAML: put it in quotes");
    assert!(fault("a: [1\nb: 2\n").starts_with("2:"), "{}", fault("a: [1\nb: 2\n"));
}

#[test]
fn nesting_and_aliases_are_bounded() {
    let deep = "[".repeat(DEPTH_MAX + 2);
    assert_eq!(fault(&deep), format!("1:{}: nested deeper than 64 levels", DEPTH_MAX + 2));
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for i in 1..20 {
        let alias = format!("*a{}", i - 1);
        laughs += &format!("a{i}: &a{i} [{}]\n", vec![alias; 10].join(", "));
    }
    assert!(fault(&laughs).ends_with("the file has more than 250000 values"), "{}", fault(&laughs));
}

proptest::proptest! {
    /// Whatever the bytes, reading ends without a panic and every place lies in the text.
    #[test]
    fn any_text_is_read_or_refused(text in "[-a-c:,?*&!<>|%@`'\"#{}\\[\\] \n\t.~01\u{e9}\r]{0,60}") {
        let (documents, faults) = parse(&text);
        let lines = text.split('\n').count() + text.matches('\r').count();
        for position in documents.iter().map(|n| n.position).chain(faults.iter().map(|f| f.position)) {
            proptest::prop_assert!(position.line <= lines + 1, "{position} of {lines} lines");
        }
    }
}
