#compdef qwq-gguf

_qwq_gguf_completion() {
  eval $(env _TYPER_COMPLETE_ARGS="${words[1,$CURRENT]}" _QWQ_GGUF_COMPLETE=complete_zsh qwq-gguf)
}

compdef _qwq_gguf_completion qwq-gguf
