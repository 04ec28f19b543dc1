"""What is read of a backbone for an image, and the one forward loop that every reading goes through.

A new reading is one file here: see ``protocol.Reading``. ``snapshots`` (pooled taps) is that of CFS.
"""
