"""Kill forked runs of commands at random moments and compare what they leave."""
