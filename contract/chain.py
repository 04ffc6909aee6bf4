"""The hash chain of facts: what makes a second history under the same numbers visible.

The text of a fact is made once, when it is journalled. What is hashed, sent, verified and kept in the
ledger is that very text, so no two programs need to agree on a canonical form.
"""

import hashlib


def genesis_hash(cabinet: str, epoch: str) -> str:
    """The hash before the first fact of an epoch: binds the chain to its cabinet and epoch."""
    return hashlib.sha256(f"{cabinet}/{epoch}".encode()).hexdigest()


def next_hash(previous_hash: str, fact_text: str) -> str:
    """The hash after a fact: SHA-256 over the previous hash (32 bytes) and the fact's UTF-8 text."""
    return hashlib.sha256(bytes.fromhex(previous_hash) + fact_text.encode()).hexdigest()


def chain_hashes(previous_hash: str, fact_texts: tuple[str, ...]) -> tuple[str, ...]:
    """The hash after each of the facts, in order."""
    hashes = []
    for text in fact_texts:
        previous_hash = next_hash(previous_hash, text)
        hashes.append(previous_hash)
    return tuple(hashes)
