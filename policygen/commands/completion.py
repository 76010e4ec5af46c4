# SPDX-License-Identifier: Apache-2.0
"""`policygen completion bash|zsh`: a script for the shell; `eval "$(policygen completion bash)"`."""
from __future__ import annotations

import argparse
from typing import Dict, Iterable, List, Tuple

from policygen.commands import cli
from policygen.commands.verbs import VERBS, module
from policygen.facts import board
from policygen.facts.names import known_names
from policygen.language import schema
from policygen.text.codes import CODES
from policygen.text.escape import Shell, joined, shell_word

HELP = "completion for bash or zsh"

BASH = """\
# policygen completion for bash: eval "$(policygen completion bash)"
_policygen() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}} verb='' each policies words=''
    for each in {verbs}; do
        [[ " ${{COMP_WORDS[*]:1:COMP_CWORD-1}} " == *" $each "* ]] && verb=$each && break
    done
    policies=$(for each in policy/*.yaml; do [ -e "$each" ] && each=${{each##*/}} && echo "${{each%.yaml}}"; done)
    case $before in
{values}
    esac
    [[ -z $words ]] && case $verb/$word in
{options}
        /*) words="{verbs} $policies";;
{special}
        *) mapfile -t COMPREPLY < <(compgen -W "$policies" -- "$word"; compgen -f -- "$word"); return;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}}
complete -F _policygen policygen
"""
ZSH = """\
#compdef policygen
# policygen completion for zsh: eval "$(policygen completion zsh)"
_policygen() {{
    local -a policies words_here
    local before=$words[CURRENT-1] word=$words[CURRENT] verb='' each
    for each in {verbs}; do
        (( $words[(I)$each] > 1 && $words[(I)$each] < CURRENT )) && verb=$each && break
    done
    policies=(policy/*.yaml(N:t:r))
    case $before in
{values}
    esac
    (( $#words_here )) || case $verb/$word in
{options}
        /*) words_here=({verbs} $policies);;
{special}
        *) compadd -a policies; _files; return;;
    esac
    compadd -a words_here
}}
compdef _policygen policygen
"""
PATHS = ("-o", "--output", "--run", "--plan", "--gen", "--image", "--qemu")      # verbs whose words are files


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=("bash", "zsh"))


def options_of(*verbs: str) -> List[argparse.Action]:
    parser = cli.Parser(parents=[cli.global_parser()])
    for verb in verbs:
        module(verb).arguments(parser)
    return [action for action in parser._actions if action.option_strings]


def choices(actions: Iterable[argparse.Action]) -> Dict[str, Tuple[str, ...]]:
    """Words that may follow an option: `--gate` -> looser, any."""
    out = {"--cpu": tuple(sorted({cpu for name in board.names() for cpu in board.load_board(name).cpus}))}
    for action in actions:
        if action.choices is not None:
            out.update({option: tuple(map(str, action.choices)) for option in action.option_strings})
    return out


def run(parsed: argparse.Namespace, options: cli.Options) -> int:
    bash = parsed.shell == "bash"
    by_verb = {"": options_of("build", "check"), **{verb: options_of(verb) for verb in VERBS}}

    def put(words: Iterable[str]) -> str:
        listed = joined(Shell, " ", [shell_word(word) for word in words])
        return f"words='{listed}'" if bash else f"words_here=({listed})"
    named: Dict[str, List[str]] = {}
    for name in board.names():
        for word, kind, _ in known_names(board.load_board(name)):
            if word not in named.setdefault(kind, []):      # boards share most of their names
                named[kind].append(word)
    after = {**{option: put(words) for option, words in choices(sum(by_verb.values(), [])).items()},
             "|".join(PATHS): 'mapfile -t COMPREPLY < <(compgen -f -- "$word"); return' if bash else "_files; return",
             "hvc|smc": put(named["call"] + named["group of calls"]), "exception": put(named["exception class"]),
             "read|write|access": put(named["register"] + named["group of registers"] + named["device"])}
    special = {"code": put(CODES), "completion": put(("bash", "zsh")),
               "explain": f'words="{" ".join(schema.OPERATIONS)} $policies"' if bash else
               f"words_here=({' '.join(schema.OPERATIONS)} $policies)"}
    flags = {verb: [option for action in actions for option in action.option_strings]
             for verb, actions in by_verb.items()}
    flags[""].append("--check")
    print((BASH if bash else ZSH).format(
        verbs=" ".join(verb for verb in by_verb if verb),
        values="\n".join(f"        {option}) {body};;" for option, body in after.items()),
        options="\n".join(f"        {verb}/-*) {put(body)};;" for verb, body in flags.items()),
        special="\n".join(f"        {verb}/*) {body};;" for verb, body in special.items())), end="")
    return cli.OK
