//! A strict reader of the text format of OpenMetrics: what it lets pass Prometheus takes.

use std::collections::{BTreeMap, BTreeSet};

/// A sample's labels, by name.
pub(crate) type Labels = BTreeMap<String, String>;

/// Metrics as a scraper gets them.
#[derive(Debug, Default)]
pub(crate) struct Exposition {
    families: BTreeMap<String, Family>,
    pub(crate) samples: Vec<Sample>,
}

#[derive(Debug, Default)]
struct Family {
    kind: Option<String>,
    help: Option<String>,
    unit: Option<String>,
}

#[derive(Debug)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: Labels,
    pub(crate) value: f64,
}

impl Exposition {
    /// Reads all of it, or says what is wrong in which line.
    pub(crate) fn parse(text: &str) -> Result<Exposition, String> {
        let body = text.strip_suffix("# EOF\n").ok_or("does not end with # EOF")?;
        let mut exposition = Exposition::default();
        // The family that lines belong to: each has its lines together.
        let mut current = String::new();
        for line in body.split_terminator('\n') {
            let read = match line.strip_prefix("# ") {
                Some(about) => exposition.describe(about, &mut current),
                None => exposition.sample(line, &current),
            };
            read.map_err(|why| format!("{why}: {line}"))?;
        }
        exposition.check()?;
        Ok(exposition)
    }

    fn describe(&mut self, about: &str, current: &mut String) -> Result<(), String> {
        let mut words = about.splitn(3, ' ');
        let (Some(what), Some(name), Some(text)) = (words.next(), words.next(), words.next()) else {
            return Err("not a description".into());
        };
        if !is_name(name) || !name.starts_with("gannet_") {
            return Err(format!("{name} is no name"));
        }
        if current != name {
            if self.families.contains_key(name) {
                return Err("the family's lines are not together".into());
            }
            current.clear();
            current.push_str(name);
        }
        if self
            .samples
            .iter()
            .any(|sample| sample.name.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest == "_total"))
        {
            return Err("described after its samples".into());
        }
        let family = self.families.entry(name.to_owned()).or_default();
        let place = match what {
            "TYPE" if ["counter", "gauge", "info"].contains(&text) => &mut family.kind,
            "HELP" if !text.trim().is_empty() && !text.contains('\\') => &mut family.help,
            "UNIT" if name.ends_with(&format!("_{text}")) => &mut family.unit,
            _ => return Err("not a description that is known".into()),
        };
        match place.replace(text.to_owned()) {
            None => Ok(()),
            Some(_) => Err("described twice".into()),
        }
    }

    fn sample(&mut self, line: &str, family: &str) -> Result<(), String> {
        let (name, rest) = line.split_once('{').ok_or("no labels")?;
        let (labels, value) = labels(rest)?;
        let value: f64 = value.strip_prefix(' ').ok_or("no value")?.parse().map_err(|_| "no number")?;
        let kind = self.families.get(family).and_then(|family| family.kind.as_deref()).ok_or("no type")?;
        let (suffix, fits) = match kind {
            "counter" => ("_total", value >= 0.0 && value.is_finite()),
            "info" => ("_info", value == 1.0),
            _ => ("", value.is_finite()),
        };
        if name.strip_prefix(family) != Some(suffix) || !is_name(name) {
            return Err(format!("not of the family {family}"));
        }
        if !fits {
            return Err(format!("no value of a {kind}"));
        }
        self.samples.push(Sample { name: name.to_owned(), labels, value });
        Ok(())
    }

    fn check(&self) -> Result<(), String> {
        for (name, family) in &self.families {
            if family.kind.is_none() || family.help.is_none() {
                return Err(format!("{name} has no type or no help"));
            }
            if family.unit.is_none() && ["_bytes", "_seconds"].iter().any(|unit| name.ends_with(unit)) {
                return Err(format!("{name} does not declare its unit"));
            }
        }
        let mut seen = BTreeSet::new();
        match self.samples.iter().find(|sample| !seen.insert((&sample.name, &sample.labels))) {
            None => Ok(()),
            Some(twice) => Err(format!("{} is there twice with the labels {:?}", twice.name, twice.labels)),
        }
    }

    /// The value of the only sample with this name that has these labels, among others.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let has = |sample: &&Sample| {
            sample.name == name
                && labels.iter().all(|(key, value)| sample.labels.get(*key).is_some_and(|has| has == value))
        };
        let found: Vec<&Sample> = self.samples.iter().filter(has).collect();
        assert_eq!(found.len(), 1, "{name} {labels:?}: {found:?}");
        found[0].value
    }

    /// The names under which samples of all families are stored.
    pub(crate) fn names(&self) -> BTreeSet<String> {
        let suffix = |family: &Family| match family.kind.as_deref() {
            Some("counter") => "_total",
            Some("info") => "_info",
            _ => "",
        };
        self.families.iter().map(|(name, family)| format!("{name}{}", suffix(family))).collect()
    }
}

fn is_name(name: &str) -> bool {
    let mut letters = name.bytes();
    letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == b'_')
}

/// The labels behind an opening brace, and what follows the closing one.
fn labels(text: &str) -> Result<(Labels, &str), String> {
    let mut labels = Labels::new();
    let mut rest = text;
    loop {
        if let Some(value) = rest.strip_prefix('}') {
            return Ok((labels, value));
        }
        let (name, quoted) = rest.split_once("=\"").ok_or("a label without a value")?;
        let (value, behind) = unquote(quoted)?;
        if !is_name(name) || labels.insert(name.to_owned(), value).is_some() {
            return Err(format!("the label {name:?} is no name, or there twice"));
        }
        rest = match behind.strip_prefix(',') {
            Some(next) if !next.starts_with('}') => next,
            _ if behind.starts_with('}') => behind,
            _ => return Err("labels are separated by commas".into()),
        };
    }
}

/// A label's value up to its closing quote, and what follows.
fn unquote(text: &str) -> Result<(String, &str), String> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Ok((value, &text[at + 1..])),
            '\\' => value.push(match letters.next() {
                Some((_, 'n')) => '\n',
                Some((_, escaped @ ('"' | '\\'))) => escaped,
                _ => return Err("an escape that there is not".into()),
            }),
            other => value.push(other),
        }
    }
    Err("a quote is not closed".into())
}

#[test]
fn what_is_wrong_is_found() {
    let good = "# HELP gannet_a A\n# TYPE gannet_a counter\ngannet_a_total{b=\"\\\"\\\\\\n\"} 1\n# EOF\n";
    let read = Exposition::parse(good).unwrap();
    assert_eq!(read.samples[0].labels["b"], "\"\\\n");
    for (from, to, why) in [
        ("# EOF\n", "", "EOF"),
        ("# HELP gannet_a A\n", "", "no help"),
        ("# TYPE gannet_a counter\n", "", "no type"),
        ("_total", "", "family"),
        ("} 1", "} -1", "value of a counter"),
        ("} 1", "} one", "no number"),
        ("\\n", "\\t", "escape"),
        ("\\n\"", "\\n", "closed"),
        ("b=", "b-c=", "no name"),
        ("{b", "{b=\"\",b", "twice"),
        ("# EOF", "gannet_a_total{b=\"\\\"\\\\\\n\"} 2\n# EOF", "twice with the labels"),
        ("# EOF", "# HELP gannet_a A\n# EOF", "after its samples"),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good, "{from}");
        let found = Exposition::parse(&bad).expect_err(&bad);
        assert!(found.contains(why), "{bad}: {found}");
    }
}
