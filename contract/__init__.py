"""What agents and the dispatcher say to each other. No I/O: the first package to read.

topics.py     every topic, who may write it, QoS, retain: one table
messages.py   every message, one frozen model each
facts.py      what a station saw and decided, numbered and chained
trails.py     which facts are one story: an id for logs
envelope.py   the one signature around every message
limits.py     how large a message may be, and what is left out first
schema.py, asyncapi.py   the same for other programs: JSON Schemas, and one AsyncAPI document
"""
