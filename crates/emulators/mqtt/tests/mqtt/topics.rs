//! Topic names and filters.

use emulator_mqtt::topic::{TopicError, TopicFilter, TopicName};

fn matches(filter: &str, topic: &str) -> bool {
    TopicFilter::new(filter).unwrap().matches(TopicName::new(topic).unwrap())
}

/// The examples of MQTT 3.1.1, 4.7.1 to 4.7.3.
#[test]
fn a_filter_matches_as_in_the_standard() {
    for (filter, yes, no) in [
        (
            "sport/tennis/player1/#",
            &["sport/tennis/player1", "sport/tennis/player1/ranking"][..],
            &["sport/tennis"][..],
        ),
        ("sport/#", &["sport", "sport/tennis/player1"], &["sports", "/sport"]),
        ("#", &["a", "/", "a/b/c", "/finance"], &["$SYS", "$aws/things"]),
        (
            "sport/tennis/+",
            &["sport/tennis/player1", "sport/tennis/"],
            &["sport/tennis/player1/ranking", "sport/tennis"],
        ),
        ("sport/+", &["sport/"], &["sport"]),
        ("+", &["finance"], &["/finance", "$SYS"]),
        ("+/+", &["/finance"], &["finance", "$SYS/x"]),
        ("/+", &["/finance"], &["finance"]),
        ("+/tennis/#", &["sport/tennis", "/tennis/x"], &["tennis"]),
        ("+/monitor/Clients", &["a/monitor/Clients"], &["$SYS/monitor/Clients"]),
        ("$SYS/#", &["$SYS", "$SYS/monitor/Clients"], &["SYS"]),
        ("$SYS/monitor/+", &["$SYS/monitor/Clients"], &["$SYS/monitor"]),
        ("/finance", &["/finance"], &["finance"]),
        ("ACCOUNTS", &["ACCOUNTS"], &["Accounts"]),
        ("a//b", &["a//b"], &["a/b"]),
        ("Accounts payable", &["Accounts payable"], &[]),
    ] {
        for topic in yes {
            assert!(matches(filter, topic), "{filter} and {topic}");
        }
        for topic in no {
            assert!(!matches(filter, topic), "{filter} and {topic}");
        }
    }
}

#[test]
fn a_malformed_topic_says_why() {
    let long = "x".repeat(65_536);
    for (text, name, filter) in [
        ("", Some(TopicError::Empty), Some(TopicError::Empty)),
        ("a\0", Some(TopicError::Nul), Some(TopicError::Nul)),
        (&long, Some(TopicError::TooLong(65_536)), Some(TopicError::TooLong(65_536))),
        ("#", Some(TopicError::WildcardInName), None),
        ("a/+/b", Some(TopicError::WildcardInName), None),
        ("sport/tennis#", Some(TopicError::WildcardInName), Some(TopicError::MultiLevelWildcard)),
        ("sport/tennis/#/ranking", Some(TopicError::WildcardInName), Some(TopicError::MultiLevelWildcard)),
        ("sport+", Some(TopicError::WildcardInName), Some(TopicError::SingleLevelWildcard)),
        ("/", None, None),
        ("ü", None, None),
    ] {
        assert_eq!(TopicName::new(text).err(), name, "{text:.20}");
        assert_eq!(TopicFilter::new(text).err(), filter, "{text:.20}");
    }
}

#[test]
fn the_quotas_are_those_of_aws() {
    for (text, within) in [
        ("x".repeat(256), true),
        ("x".repeat(257), false),
        // Bytes count, not characters.
        ("ü".repeat(129), false),
        ("a/b/c/d/e/f/g/h".to_owned(), true),
        ("a/b/c/d/e/f/g/h/i".to_owned(), false),
        ("$aws/things/x".to_owned(), true),
        ("$SYS/x".to_owned(), false),
        ("$share/group/x".to_owned(), false),
    ] {
        assert_eq!(TopicName::new(&text).unwrap().is_within_quotas(), within, "{text}");
        assert_eq!(TopicFilter::new(&text).unwrap().is_within_quotas(), within, "{text}");
    }
}
