# bash completion for sidelock, made from the tables of the program.

_sidelock_surfaces() {
  sidelock register --format json 2>/dev/null | grep -o '"surface": *"[^"]*"' | cut -d '"' -f 4
}

# What an option of a verb takes: into takes and words; 1 where it is a flag.
_sidelock_value() {
  takes='' words=''
  case "$1 $2" in
@bash_values@
    *) return 1 ;;
  esac
}

# What a verb and its action may be followed by: into options and first.
_sidelock_call() {
  options='' first=''
  case "$1 $2" in
@bash_calls@
  esac
}

_sidelock_actions() {
  actions=''
  case $1 in
@bash_actions@
  esac
}

# $1: what is wanted, $2: what has been typed, $3: the words of one that names them.
_sidelock_offer() {
  case $1 in
    file) mapfile -t COMPREPLY < <(compgen -f -- "$2") ;;
    folder) mapfile -t COMPREPLY < <(compgen -d -- "$2") ;;
    surface) mapfile -t COMPREPLY < <(compgen -W "$(_sidelock_surfaces)" -- "$2") ;;
    words) mapfile -t COMPREPLY < <(compgen -W "$3" -- "$2") ;;
  esac
}

# Behind `--`, from word $1 on: a command of the user's.
_sidelock_command() {
  if [ "$1" -eq "$COMP_CWORD" ]; then
    mapfile -t COMPREPLY < <(compgen -c -- "${COMP_WORDS[COMP_CWORD]}")
  else
    _sidelock_offer file "${COMP_WORDS[COMP_CWORD]}"
  fi
}

_sidelock() {
  local typed=${COMP_WORDS[COMP_CWORD]} verb=${COMP_WORDS[1]} action='' behind=''
  local i word takes words options first actions
  COMPREPLY=()
  if [ "$COMP_CWORD" -le 1 ]; then
    _sidelock_offer words "$typed" "$_sidelock_verbs --version"
    return
  fi
  _sidelock_actions "$verb"
  for ((i = 2; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    case $word in
      --)
        case " $_sidelock_commands " in *" $verb "*) _sidelock_command $((i + 1)) ;; esac
        return
        ;;
      -*) if _sidelock_value "$verb" "$word"; then i=$((i + 1)); fi ;;
      *) if [ -n "$actions" ] && [ -z "$action" ]; then action=$word; else behind=yes; fi ;;
    esac
  done
  _sidelock_call "$verb" "$action"
  if [ "$i" -gt "$COMP_CWORD" ]; then
    _sidelock_value "$verb" "${COMP_WORDS[COMP_CWORD - 1]}"
    _sidelock_offer "$takes" "$typed" "$words"
  elif [ -n "$actions" ] && [ -z "$action" ]; then
    _sidelock_offer words "$typed" "$actions"
  elif [ "${typed:0:1}" = - ]; then
    _sidelock_offer words "$typed" "$options"
  elif [ -z "$behind" ]; then
    _sidelock_offer "$first" "$typed"
  fi
}

@bash_verbs@
complete -o filenames -F _sidelock sidelock
