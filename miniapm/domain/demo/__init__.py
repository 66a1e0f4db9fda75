"""A made-up shop: a week of its deploys, requests and errors, the same for every seed."""
