# SPDX-License-Identifier: Apache-2.0
"""`policygen completion bash|zsh`: a script for the shell; `eval "$(policygen completion bash)"`."""
from __future__ import annotations

import argparse

from policygen import board, cli, formats
from policygen.codes import CODES

HELP = "completion for bash or zsh"

BASH = """\
# policygen completion for bash: eval "$(policygen completion bash)"
_policygen() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}} verb='' each policies
    for each in {verbs}; do
        [[ " ${{COMP_WORDS[*]:1:COMP_CWORD-1}} " == *" $each "* ]] && verb=$each
    done
    policies=$(for each in policy/*.yaml; do [ -e "$each" ] && each=${{each##*/}} && echo "${{each%.yaml}}"; done)
    case $before in
        --format) mapfile -t COMPREPLY < <(compgen -W '{formats}' -- "$word"); return;;
        --cpu) mapfile -t COMPREPLY < <(compgen -W '{cpus}' -- "$word"); return;;
        --mode) mapfile -t COMPREPLY < <(compgen -W 'enforce audit' -- "$word"); return;;
        --color) mapfile -t COMPREPLY < <(compgen -W 'auto always never' -- "$word"); return;;
        --gate) mapfile -t COMPREPLY < <(compgen -W 'looser any' -- "$word"); return;;
        -o|--output) mapfile -t COMPREPLY < <(compgen -f -- "$word"); return;;
    esac
    case $word in
        -*) mapfile -t COMPREPLY < <(compgen -W '{options}' -- "$word"); return;;
    esac
    case $verb in
        '') mapfile -t COMPREPLY < <(compgen -W "{verbs} $policies" -- "$word");;
        code) mapfile -t COMPREPLY < <(compgen -W '{codes}' -- "$word");;
        completion) mapfile -t COMPREPLY < <(compgen -W 'bash zsh' -- "$word");;
        *) mapfile -t COMPREPLY < <(compgen -W "$policies" -- "$word"; compgen -f -- "$word");;
    esac
}}
complete -F _policygen policygen
"""
ZSH = """\
#compdef policygen
# policygen completion for zsh: eval "$(policygen completion zsh)"
_policygen() {{
    local -a policies verbs
    verbs=({verbs})
    policies=(policy/*.yaml(N:t:r))
    case $words[CURRENT-1] in
        --format) compadd {formats}; return;;
        --cpu) compadd {cpus}; return;;
        --mode) compadd enforce audit; return;;
        --color) compadd auto always never; return;;
        --gate) compadd looser any; return;;
        -o|--output) _files; return;;
    esac
    if [[ $words[CURRENT] == -* ]]; then
        compadd -- {options}
    elif (( CURRENT == 2 )); then
        compadd $verbs $policies
    else
        case $words[2] in
            code) compadd {codes};;
            completion) compadd bash zsh;;
            *) compadd $policies; _files;;
        esac
    fi
}}
compdef _policygen policygen
"""
OPTIONS = "--check --format --cpu --mode -q --quiet --color --gate --strength --min --diff --extends -o --output --help"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=("bash", "zsh"))


def run(parsed: argparse.Namespace, options: cli.Options) -> int:
    from policygen.__main__ import VERBS
    cpus = sorted({cpu for name in board.names() for cpu in board.load_board(name).cpus})
    print({"bash": BASH, "zsh": ZSH}[parsed.shell].format(
        verbs=" ".join(VERBS), formats=" ".join(formats.FORMATS), cpus=" ".join(cpus), codes=" ".join(CODES),
        options=OPTIONS), end="")
    return cli.OK
