# Completion of rempart in fish. For you: rempart completions fish > ~/.config/fish/completions/rempart.fish
complete -c rempart -f -a '(rempart complete fish -- (commandline -opc) (commandline -ct | string collect -a) 2>/dev/null)'
