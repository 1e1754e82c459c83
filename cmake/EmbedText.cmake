# cmake -DINPUTS=a.sql;b.sql -DOUTPUT=x.inc -P EmbedText.cmake: one raw string literal a file, comma separated, in
# order of name, for an array initialiser.
list(SORT INPUTS)
set(text "")
foreach(input ${INPUTS})
  file(READ ${input} content)
  string(APPEND text "R\"embedded(${content})embedded\",\n")
endforeach()
file(WRITE ${OUTPUT} "${text}")
