_qwq_gguf_completion() {
    local IFS=$'
'
    COMPREPLY=( $( env COMP_WORDS="${COMP_WORDS[*]}" \
                   COMP_CWORD=$COMP_CWORD \
                   _QWQ_GGUF_COMPLETE=complete_bash $1 ) )
    return 0
}

complete -o default -F _qwq_gguf_completion qwq-gguf
