"""Forms of English verbs and nouns, so that the lexicon names each word once."""

from __future__ import annotations

_IRREGULAR = {
    "be": "was were been", "bear": "bore", "beat": "beat beaten", "bend": "bent", "bite": "bit bitten",
    "blow": "blew blown", "break": "broke broken", "bring": "brought", "build": "built", "buy": "bought",
    "catch": "caught", "choose": "chose chosen", "come": "came", "cut": "cut", "dig": "dug", "do": "did done",
    "draw": "drew drawn", "drink": "drank drunk", "drive": "drove driven", "eat": "ate eaten",
    "fall": "fell fallen", "feed": "fed", "feel": "felt", "find": "found", "fly": "flew flown", "fold": "folded",
    "forget": "forgot forgotten", "get": "got gotten", "give": "gave given", "go": "went gone", "grind": "ground",
    "hang": "hung", "hear": "heard", "hide": "hid hidden", "hit": "hit", "hold": "held", "keep": "kept",
    "kneel": "knelt kneeled", "know": "knew known", "lay": "laid", "lead": "led", "lean": "leaned leant",
    "leave": "left", "let": "let", "lie": "lay lain lying", "light": "lit lighted", "lose": "lost", "make": "made",
    "mean": "meant", "meet": "met", "pay": "paid", "put": "put", "read": "read", "ride": "rode ridden",
    "ring": "rang rung", "rise": "rose risen", "run": "ran", "say": "said", "see": "saw seen", "sell": "sold",
    "send": "sent", "set": "set", "sew": "sewed sewn", "shake": "shook shaken", "shoot": "shot",
    "show": "showed shown", "shut": "shut", "sing": "sang sung", "sit": "sat", "sleep": "slept", "slide": "slid",
    "sling": "slung", "speak": "spoke spoken", "spend": "spent", "spin": "spun", "split": "split",
    "spread": "spread", "spring": "sprang sprung", "stand": "stood", "steal": "stole", "stick": "stuck",
    "strike": "struck", "string": "strung", "sweep": "swept", "swim": "swam swum", "swing": "swung",
    "take": "took taken", "teach": "taught", "tear": "tore torn", "tell": "told", "think": "thought",
    "throw": "threw thrown", "tread": "trod trodden", "undo": "undid undone", "wake": "woke woken",
    "wear": "wore worn", "wind": "wound", "wring": "wrung", "write": "wrote written",
    "withdraw": "withdrew withdrawn", "rebuild": "rebuilt", "reset": "reset", "rewrite": "rewrote", "upset": "upset",
}  # fmt: skip
_PLURALS = {
    "shelf": "shelves", "knife": "knives", "loaf": "loaves", "leaf": "leaves", "scarf": "scarves", "calf": "calves",
    "half": "halves", "child": "children", "man": "men", "woman": "women", "foot": "feet", "tooth": "teeth",
    "person": "persons people", "life": "lives", "wife": "wives", "self": "selves", "grandchild": "grandchildren",
    "mouse": "mice",
}  # fmt: skip
_VOWELS = "aeiou"
_DOUBLED = {"regress": False, "transfer": True, "refer": True, "propel": True, "control": True, "program": True}
PASTS = frozenset(form for forms in _IRREGULAR.values() for form in forms.split()) - {"lying"}


def verb_forms(phrase: str) -> set[str]:
    """Return a verb's forms: itself, -s, -ed, -ing; only the first word of several is bent ("pick up")."""
    verb, _, rest = phrase.partition(" ")
    stem = verb[:-1] if verb.endswith("e") and not verb.endswith(("ee", "ye", "oe")) else verb
    if verb.endswith("y") and verb[-2:-1] not in _VOWELS:
        forms = {verb[:-1] + "ies", verb[:-1] + "ied", verb + "ing"}
    else:
        hissing = verb.endswith(("s", "sh", "ch", "x", "z", "o"))
        stems = {stem}
        if _doubles(verb):
            stems = {verb + verb[-1]}
        elif verb.endswith("l") and verb[-2] in _VOWELS and verb[-3] not in _VOWELS:
            stems = {verb, verb + "l"}  # labeled and labelled
        forms = {verb + ("es" if hissing else "s"), *(one + "ing" for one in stems), *(one + "ed" for one in stems)}
    past = _IRREGULAR.get(verb)
    if past:
        forms = {form for form in forms if not form.endswith("ed")} | set(past.split())
    forms |= {verb}
    forms |= {form.replace("iz", "is") for form in forms if verb.endswith("ize")}
    return {f"{form} {rest}".strip() for form in forms}


def noun_forms(phrase: str) -> set[str]:
    """Return a noun and its plural; the last word of several is bent ("coffee cup")."""
    head, _, noun = phrase.rpartition(" ")
    if noun in _PLURALS:
        plurals = _PLURALS[noun].split()
    elif noun.endswith("y") and noun[-2:-1] not in _VOWELS:
        plurals = [noun[:-1] + "ies"]
    else:
        plurals = [noun + ("es" if noun.endswith(("s", "sh", "ch", "x", "z")) else "s")]
    return {f"{head} {form}".strip() for form in (noun, *plurals)}


def is_past(word: str) -> bool:
    return (len(word) > 3 and word.endswith("ed") and not word.endswith("eed")) or word in PASTS


def _doubles(verb: str) -> bool:
    if verb in _DOUBLED:
        return _DOUBLED[verb]
    if len(verb) < 3 or verb[-1] in "wxyaeiou" or verb[-2] not in _VOWELS or verb[-3] in _VOWELS:
        return False
    return sum(letter in _VOWELS for letter in verb) == 1


# Numbers that are written out where minutes are told; smaller ones are words of the lexicon.
NUMBERS = {
    "ten": 10.0, "eleven": 11.0, "twelve": 12.0, "thirteen": 13.0, "fourteen": 14.0, "fifteen": 15.0, "sixteen": 16.0,
    "seventeen": 17.0, "eighteen": 18.0, "nineteen": 19.0, "twenty": 20.0, "thirty": 30.0, "forty": 40.0, "fifty": 50.0,
    "sixty": 60.0, "ninety": 90.0,
}  # fmt: skip
