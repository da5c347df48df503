# fish completion for sidelock, made from the tables of the program.

function __sidelock_surfaces
  sidelock register --format json 2>/dev/null | grep -o '"surface": *"[^"]*"' | cut -d '"' -f 4
end

complete -c sidelock -f
complete -c sidelock -n __fish_use_subcommand -l version -d 'its version'
@fish_verbs@
@fish_calls@
