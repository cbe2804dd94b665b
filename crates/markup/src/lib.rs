//! A pure codec between what a model wrote and text, reasoning and calls.
