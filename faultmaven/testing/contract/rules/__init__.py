"""The contract's rules, one file for each subject."""
