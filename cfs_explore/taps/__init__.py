"""Reading activations: ``capture`` pools them during a forward; ``policies`` choose which to read, without torch."""
