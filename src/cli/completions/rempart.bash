# Completion of rempart in bash. For you: put `source <(rempart completions bash)` into ~/.bashrc.
# For every user: rempart completions bash > /etc/bash_completion.d/rempart
_rempart() {
    local line
    COMPREPLY=()
    while IFS= read -r line; do
        COMPREPLY+=("$line")
    done < <(rempart complete bash -- "${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
    # A folder, or a list that may go on, is not the end of a word.
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[/=] ]]; then
        compopt -o nospace 2>/dev/null
    fi
}
complete -F _rempart rempart
