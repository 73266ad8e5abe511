"""The rules of the contract, one file for each subject."""
