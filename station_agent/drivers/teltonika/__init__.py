"""Teltonika trackers: the same signals over MQTT as JSON, or as binary packets on a serial line or a socket.

signals     what AVL ids mean, per family of trackers, and a reading made of them
codec_json  one MQTT message -> report
frames      bytes <-> packets of Codec 8 and Codec 8 Extended
receiver    the codec of a line: tells what is new, acknowledges everything
"""
