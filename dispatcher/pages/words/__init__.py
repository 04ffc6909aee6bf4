"""All that the pages say, by language."""

from collections.abc import Mapping
from types import MappingProxyType

from dispatcher.pages.words.catalogue import Language, Words
from dispatcher.pages.words.english import ENGLISH
from dispatcher.pages.words.french import FRENCH

WORDS: Mapping[Language, Words] = MappingProxyType({Language.FR: FRENCH, Language.EN: ENGLISH})
