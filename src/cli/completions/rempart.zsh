#compdef rempart
# Completion of rempart in zsh. For you: put `source <(rempart completions zsh)` into ~/.zshrc, after compinit.
# For every user: rempart completions zsh > /usr/local/share/zsh/site-functions/_rempart
_rempart() {
    local line value
    local -a values shown open open_shown
    while IFS= read -r line; do
        value=${line%%$'\t'*}
        if [[ $value == *[/=] ]]; then
            open+=("$value")
            open_shown+=("${line/$'\t'/  -- }")
        else
            values+=("$value")
            shown+=("${line/$'\t'/  -- }")
        fi
    done < <(rempart complete zsh -- "${(@Q)words[1,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)
    (( $#values )) && compadd -l -d shown -a values
    (( $#open )) && compadd -l -S '' -d open_shown -a open
    (( $#values + $#open ))
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _rempart "$@"
else
    compdef _rempart rempart
fi
