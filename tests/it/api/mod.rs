//! The HTTP contract, case by case.
