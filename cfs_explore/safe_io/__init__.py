"""What comes from strangers or goes to them: bounded reads, plain YAML, what may be fetched, harmless tables."""
