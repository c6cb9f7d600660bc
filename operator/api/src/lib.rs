//! The types of Gregor's custom resources: fields, defaults and rules, no behaviour.
