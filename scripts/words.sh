#!/usr/bin/env bash
# Plain words in the project's own text: American spelling, and none of the phrases that readers from outside stumbled over.
# A line that must quote one ends with `words: allow`. `scripts/words.sh FILE…` checks these files; without files, all tracked ones.
set -euo pipefail
cd "$(dirname "$0")/.."

# Verbs in -ise that American English spells with z, by their stems; -yse likewise. "Analyses", the noun, is right in both.
stems='optim|normal|local|recogn|initial|visual|random|standard|general|minim|maxim|summar|quant|discret|character|categor|serial|token'
stems="$stems|regular|parallel|vector|stabil|penal|util|pseudonym|anonym|binar|equal|final|symbol|synchron|priorit|custom|capital|harmon|polar|memor|neutral|organ|author|emphas"
british="($stems)is(e|ed|er|ers|ing|able|ations?)\b|($stems)is(e|ed|er|es|ing|ation)(_|[A-Z])"
british="$british|(anal|paral|catal)ys(e|ed|er|ing)\b|colou?rised|colour|grey|(cent|met|millimet|centimet|lit|fib|theat)re(s|d)?\b|centring|calibre|sceptic"
british="$british|(label|model|cancel|travel|signal|channel|tunnel|level|dial|total|equal|marshal)l(ed|ing|er|ers)\b|neighbour|behaviour|favour|honour|labour"
british="$british|harbour|vapour|tumour|licence|defence|offence|practis(e|ed|ing)\b|catalogue|programme(s)?\b|judgement|artefact|ageing|anaesth|haem(a|o)|oedema"
british="$british|orthopaed|paediatr|learnt|spelt\b|whilst|skilful|fulfil\b|mould"

# Phrases of a private dialect. Each has a plain word: reported, stated, shown, classified, skipped, resumed, correctly, returns.
dialect='\btold\b|\b(is|are|was|were|be|been|not|as|person|system) said\b|\bsaid (of|by|to|about|before)\b|\bhung\b|looked at\b|passed over\b|tak(en|es|e) up\b|took up\b|\brightly\b'
dialect="$dialect|\b(gives?|gave|given) (it |them )?back\b|in the guise of|\bfor people\b|milliard|(say|says) of (itself|themselves|himself)|\btells? of\b|\btells? (them|it|two|which) apart\b|for its own word"
dialect="$dialect|\bnobody (reads|understood|knows)|of one's own"

# Names that are not ours: titles of papers, file formats, other programs' interfaces.
allow='words: allow|resource_centre|Centre for|GreyLevel|http[s]?://'

files=("$@")
if [ ${#files[@]} = 0 ]; then
    mapfile -t files < <(git ls-files '*.rs' '*.md' '*.sh' '*.py' '*.R' '*.toml' | grep -v -e '^scripts/words\.sh$' -e '/testdata/.*\.txt$')
fi

fail=0
report() { # report KIND PATTERN
    local found
    found=$(grep -nHiE -e "$2" -- "${files[@]}" | grep -vE -e "$allow" || true)
    [ -z "$found" ] && return
    printf '%s\n' "$found" | sed "s/^/words ($1): /" >&2
    fail=1
}
report "spelling" "$british"
report "phrase" "$dialect"
exit $fail
