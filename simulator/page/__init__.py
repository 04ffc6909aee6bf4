"""A page in a browser, for developers: a cabinet drawn, hands and levers to click, and the wire beside it.

stage      one cabinet as the page has it: what there is to see (picture), to do (commands), to hear (rows)
picture    what somebody in front of it would see; pure
rows       what passed on its serial lines, at the broker, into the journal
levers     commands for what lies around the cabinet, beside those of `simulator.cabinet.commands`
guard      who may ask: this machine's own browser, from this page alone
app        HTTP: documents, events, commands
"""
