//! The arguments of `APP.RATELIMIT` and its companions:
//! `key rule [rule …] [ALGO a] [COST n] [FULL]`, a rule being `limit EX s|PX ms [BURST n]`.

use super::rule::{Algorithm, MAX_EXACT_LIMIT, MAX_RULES, PerRule, Request, Rule};
use crate::args::{Arguments, Cursor, is_keyword, parse_integer, set_once};
use crate::error::Error;

const MAX_UNITS: u64 = u32::MAX as u64;
const OPTIONS: &str = "ALGO, COST, FULL";
const ALGORITHMS: &str = "SLIDING, FIXED, EXACT, GCRA";

/// A parsed call.
#[derive(Debug, PartialEq, Eq)]
pub struct Limit {
    rules: PerRule<Rule>,
    algorithm: Algorithm,
    cost: u32,
    /// Whether the reply is a map with every rule.
    pub full: bool,
}

impl Limit {
    /// Parses everything behind the key.
    pub fn parse<A: Arguments + ?Sized>(arguments: &A) -> Result<Limit, Error> {
        let mut cursor = Cursor::new(arguments, 2);
        let mut limit = Limit {
            rules: PerRule::new(),
            algorithm: Algorithm::Sliding,
            cost: 1,
            full: false,
        };
        while limit.rules.is_empty() || cursor.peek().is_some_and(starts_rule) {
            let rule = parse_rule(&mut cursor)?;
            if limit.rules.len() == MAX_RULES {
                return Err(Error::TooManyRules { max: MAX_RULES });
            }
            limit.rules.push(rule);
        }
        let options = Options::parse(&mut cursor)?;
        limit.algorithm = options.algorithm.unwrap_or(limit.algorithm);
        limit.cost = options.cost.unwrap_or(limit.cost);
        limit.full = options.full.is_some();
        limit.check()?;
        Ok(limit)
    }

    /// Checks what can only be judged with all options known.
    fn check(&self) -> Result<(), Error> {
        for (index, rule) in self.rules.iter().enumerate() {
            if rule.has_burst() && self.algorithm != Algorithm::Gcra {
                return Err(Error::BurstWithoutGcra);
            }
            if self.algorithm == Algorithm::Exact && rule.limit() > MAX_EXACT_LIMIT {
                let max = MAX_EXACT_LIMIT;
                return Err(Error::LimitAboveExact { max });
            }
            let mut before = self.rules.iter().take(index);
            if before.any(|other| other.window_ms() == rule.window_ms()) {
                return Err(Error::SameWindow);
            }
        }
        Ok(())
    }

    /// What the limiter is asked.
    pub fn request(&self) -> Request<'_> {
        Request {
            algorithm: self.algorithm,
            rules: &self.rules,
            cost: self.cost,
        }
    }
}

/// Options start with a letter, so whatever looks like a number is meant as a limit.
fn starts_rule(argument: &[u8]) -> bool {
    argument
        .first()
        .is_some_and(|b| b.is_ascii_digit() || matches!(b, b'-' | b'+'))
}

fn parse_rule<A: Arguments + ?Sized>(cursor: &mut Cursor<'_, A>) -> Result<Rule, Error> {
    let limit = cursor.integer("limit", 0, MAX_UNITS)?;
    let window_ms = cursor.duration_ms("a rule")?;
    let mut burst = None;
    while cursor.take_keyword("BURST") {
        let value = cursor.integer("BURST", 1, MAX_UNITS)?;
        set_once(&mut burst, "BURST", units(value))?;
    }
    if cursor.optional_duration_ms()?.is_some() {
        return Err(Error::TwoDurations { owner: "a rule" });
    }
    Ok(Rule::new(units(limit), window_ms, burst))
}

#[derive(Default)]
struct Options {
    algorithm: Option<Algorithm>,
    cost: Option<u32>,
    full: Option<()>,
}

impl Options {
    fn parse<A: Arguments + ?Sized>(cursor: &mut Cursor<'_, A>) -> Result<Options, Error> {
        let mut options = Options::default();
        while let Some(argument) = cursor.peek() {
            if cursor.take_keyword("ALGO") {
                let algorithm = algorithm(cursor.value_of("ALGO")?)?;
                set_once(&mut options.algorithm, "ALGO", algorithm)?;
            } else if cursor.take_keyword("COST") {
                let cost = units(cursor.integer("COST", 1, MAX_UNITS)?);
                set_once(&mut options.cost, "COST", cost)?;
            } else if cursor.take_keyword("FULL") {
                set_once(&mut options.full, "FULL", ())?;
            } else {
                return Err(match is_part_of_rule(argument) {
                    true => Error::RuleAfterOption,
                    false => cursor.unknown(OPTIONS),
                });
            }
        }
        Ok(options)
    }
}

fn algorithm(word: &[u8]) -> Result<Algorithm, Error> {
    let known = [
        ("SLIDING", Algorithm::Sliding),
        ("FIXED", Algorithm::Fixed),
        ("EXACT", Algorithm::Exact),
        ("GCRA", Algorithm::Gcra),
    ];
    let found = known.iter().find(|(name, _)| is_keyword(word, name));
    found
        .map(|(_, algorithm)| *algorithm)
        .ok_or(Error::NotOneOf {
            option: "ALGO",
            accepted: ALGORITHMS,
        })
}

fn is_part_of_rule(argument: &[u8]) -> bool {
    let words = ["BURST", "EX", "PX"];
    parse_integer(argument).is_some() || words.iter().any(|word| is_keyword(argument, word))
}

/// The caller has checked the range.
fn units(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(line: &str) -> Result<Limit, String> {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        Limit::parse(words.as_slice()).map_err(|e| e.to_string())
    }

    fn error(line: &str) -> String {
        match parse(line) {
            Ok(limit) => panic!("{line:?} gave {limit:?}"),
            Err(text) => text,
        }
    }

    #[test]
    fn rules_and_options_in_any_case_and_order() {
        let limit = parse("x k 10 ex 1 100 PX 60000 full CoSt 3 algo exact").unwrap();
        assert_eq!(limit.algorithm, Algorithm::Exact);
        assert_eq!((limit.cost, limit.full), (3, true));
        let rules = [Rule::new(10, 1000, None), Rule::new(100, 60_000, None)];
        assert_eq!(limit.request().rules, rules);
    }

    #[test]
    fn defaults_are_sliding_cost_1_short() {
        let limit = parse("x k 10 EX 1").unwrap();
        assert_eq!(limit.algorithm, Algorithm::Sliding);
        assert_eq!((limit.cost, limit.full), (1, false));
    }

    #[test]
    fn burst_stands_behind_its_rule() {
        let limit = parse("x k 10 EX 1 BURST 5 20 EX 2 ALGO GCRA").unwrap();
        let rules = [Rule::new(10, 1000, Some(5)), Rule::new(20, 2000, None)];
        assert_eq!(limit.request().rules, rules);
    }

    #[test]
    fn each_mistake_is_named() {
        let rule_range = "ERR limit must be an integer from 0 to 4294967295";
        for (line, text) in [
            ("x k", "ERR limit needs a value"),
            ("x k ten EX 1", rule_range),
            ("x k -1 EX 1", rule_range),
            ("x k 4294967296 EX 1", rule_range),
            ("x k 1.5 EX 1", rule_range),
            ("x k 10 EX 1 -5 EX 2", rule_range),
            ("x k FULL", rule_range),
            ("x k 10", "ERR a rule needs EX seconds or PX milliseconds"),
            (
                "x k 10 60",
                "ERR a rule needs EX seconds or PX milliseconds",
            ),
            ("x k 10 EX", "ERR EX needs a value"),
            (
                "x k 10 EX 0",
                "ERR EX must be an integer from 1 to 315360000",
            ),
            (
                "x k 10 PX 315360000001",
                "ERR PX must be an integer from 1 to 315360000000",
            ),
            ("x k 10 EX 1 PX 1", "ERR a rule takes exactly one EX or PX"),
            (
                "x k 10 EX 1 BURST 2 EX 1",
                "ERR a rule takes exactly one EX or PX",
            ),
            (
                "x k 10 EX 1 BURST 0 ALGO GCRA",
                "ERR BURST must be an integer from 1 to 4294967295",
            ),
            (
                "x k 10 EX 1 BURST 2 BURST 2 ALGO GCRA",
                "ERR BURST is given twice",
            ),
            ("x k 10 EX 1 BURST 2", "ERR BURST is for ALGO GCRA only"),
            (
                "x k 10 EX 1 BURST 2 ALGO FIXED",
                "ERR BURST is for ALGO GCRA only",
            ),
            (
                "x k 10 EX 1 COST 0",
                "ERR COST must be an integer from 1 to 4294967295",
            ),
            ("x k 10 EX 1 COST", "ERR COST needs a value"),
            ("x k 10 EX 1 COST 1 COST 1", "ERR COST is given twice"),
            ("x k 10 EX 1 FULL FULL", "ERR FULL is given twice"),
            (
                "x k 10 EX 1 ALGO LEAKY",
                "ERR ALGO must be one of SLIDING, FIXED, EXACT, GCRA",
            ),
            ("x k 10 EX 1 ALGO GCRA ALGO GCRA", "ERR ALGO is given twice"),
            (
                "x k 10 EX 1 COST 1 20 EX 2",
                "ERR rules come first, options after the last rule",
            ),
            (
                "x k 10 EX 1 FULL BURST 2",
                "ERR rules come first, options after the last rule",
            ),
            (
                "x k 10 EX 1 FULLER",
                "ERR unknown option 'FULLER'; accepted: ALGO, COST, FULL",
            ),
            (
                "x k 10 EX 60 20 PX 60000",
                "ERR two rules have the same window; give each rule its own",
            ),
            (
                "x k 1025 EX 1 ALGO EXACT",
                "ERR limit must be at most 1024 with ALGO EXACT",
            ),
        ] {
            assert_eq!(error(line), text, "{line}");
        }
    }

    #[test]
    fn eight_rules_and_not_nine() {
        let rules = |n: u32| (1..=n).map(|i| format!(" {i} EX {i}")).collect::<String>();
        assert_eq!(parse(&format!("x k{}", rules(8))).unwrap().rules.len(), 8);
        assert_eq!(
            error(&format!("x k{}", rules(9))),
            "ERR at most 8 rules in one call"
        );
    }

    proptest! {
        #[test]
        fn any_arguments_are_parsed_or_refused(arguments: Vec<Vec<u8>>) {
            let arguments: Vec<&[u8]> = arguments.iter().map(Vec::as_slice).collect();
            let _ = Limit::parse(arguments.as_slice());
        }

        #[test]
        fn any_words_are_parsed_or_refused(
            words in prop::collection::vec(
                prop::sample::select(vec!["1", "0", "99999999999", "EX", "PX", "BURST", "ALGO", "GCRA", "COST", "FULL", "-"]),
                0..14,
            ),
        ) {
            let line = format!("x k {}", words.join(" "));
            if let Ok(limit) = parse(&line) {
                prop_assert!(!limit.rules.is_empty());
            }
        }
    }
}
