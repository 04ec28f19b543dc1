"""What an exploration or an image set says, as text and as one file: protocol, HTML report, facts of a set."""
