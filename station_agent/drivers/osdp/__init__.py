"""OSDP v2 over RS-485, the control panel's side: `panel.OsdpPanel` is the codec of one bus.

framing   bytes <-> frames                         config    one reader's settings
secure    session keys, MAC chain, encryption      states    what a session goes through
messages  codes and payloads                       link      one reader's session
signals   what a reader shows and sounds           panel     whose turn it is on the bus
probe     what to ask a silent bus                 pairing   a reader's key, for `station-agent pair-reader` alone
"""
