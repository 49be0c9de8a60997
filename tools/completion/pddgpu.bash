# SPDX-License-Identifier: MIT
#
# Completion for bash of the pddgpu command. It asks the command itself what there is.

# The words that an option takes, or what kind of thing
_pddgpu_operand()
{
	"$1" "$2" --help 2>/dev/null | sed -n "s/^  \(-., \|    \)--${3#--}=\([^ ]*\).*/\2/p"
}

_pddgpu_fields()
{
	"$1" "$2" --help-query 2>/dev/null | awk -v option="$3" '
		/^Fields/ { on = $3 == option ":" ; next }
		on { print $1 }'
}

_pddgpu_value()
{
	local program=$1 command=$2 option=$3 cur=$4 operand before=
	# The long name of a short option
	case $option in
	--*) ;;
	*) option=$("$program" "$command" --help 2>/dev/null |
		sed -n "s/^  $option, \(--[a-z-]*\).*/\1/p") ;;
	esac
	operand=$(_pddgpu_operand "$program" "$command" "$option")
	case $option in
	--device)
		operand=$("$program" list 2>/dev/null | awk 'NR > 1 { print $1 }') ;;
	--query*)
		case $cur in *,*) before=${cur%,*},; cur=${cur##*,} ;; esac
		operand=$(_pddgpu_fields "$program" "$command" "$option") ;;
	--format)
		operand=$(printf '%s\n' csv csv,noheader csv,nounits csv,noheader,nounits) ;;
	--output | --textfile | --from | --proc | --sys)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return ;;
	esac
	# What is in capitals only says what kind of thing it is
	operand=$(tr '|' '\n' <<<"$operand" | grep -v '^[A-Z]' | sed 's/[[].*//')
	mapfile -t COMPREPLY < <(compgen -P "$before" -W "$operand" -- "$cur")
	# What bash takes for words of their own is there already
	if [[ $before$cur == *:* && $COMP_WORDBREAKS == *:* ]]; then
		COMPREPLY=("${COMPREPLY[@]#"${cur%"${cur##*:}"}"}")
	fi
}

_pddgpu()
{
	local line=${COMP_LINE:0:COMP_POINT} words cur prev program=${COMP_WORDS[0]} command
	# As the command sees it: bash also splits at = and :
	read -ra words <<<"$line"
	cur=
	[[ $line == *[[:space:]] ]] || cur=${words[-1]} && [[ $line == *[[:space:]] ]] ||
		unset 'words[-1]'
	prev=${words[-1]}
	command=${words[1]-}
	COMPREPLY=()
	if [ ${#words[@]} -le 1 ] || { [ ${#words[@]} = 2 ] && [ "$command" = help ]; }; then
		mapfile -t COMPREPLY < <(compgen -W "$("$program" --help 2>/dev/null |
			sed -n 's/^  \([a-z]*\) .*/\1/p') --help --version --query=" -- "$cur")
		return
	fi
	case $cur in
	--*=*)
		_pddgpu_value "$program" "$command" "${cur%%=*}" "${cur#*=}"
		return ;;
	-*)
		mapfile -t COMPREPLY < <(compgen -W "$("$program" "$command" --help 2>/dev/null |
			sed -n 's/^  \(-., \|    \)\(--[a-z-]*=\{0,1\}\).*/\2/p')" -- "$cur")
		[[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace
		return ;;
	esac
	case $prev in
	-[a-z] | --*[!=]) _pddgpu_value "$program" "$command" "$prev" "$cur" ;;
	esac
	[ ${#COMPREPLY[@]} -gt 0 ] || mapfile -t COMPREPLY < <(compgen -f -- "$cur")
}

complete -F _pddgpu pddgpu
