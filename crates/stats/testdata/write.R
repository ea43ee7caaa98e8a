# Writes a nested list as JSON with 17 significant digits, so that every double reads back as itself. NA and infinities are null.
json <- function(x, indent = "") {
  inner <- paste0(indent, " ")
  join <- function(parts, open, close) {
    if (all(nchar(parts) < 24) && length(parts) < 200) return(paste0(open, paste(parts, collapse = ", "), close))
    paste0(open, "\n", paste0(inner, parts, collapse = ",\n"), "\n", indent, close)
  }
  if (is.list(x) && !is.null(names(x))) {
    return(join(paste0("\"", names(x), "\": ", vapply(x, json, "", indent = inner)), "{", "}"))
  }
  if (is.list(x)) return(join(vapply(x, json, "", indent = inner), "[", "]"))
  if (is.matrix(x)) return(json(lapply(seq_len(nrow(x)), function(i) I(x[i, ])), indent))
  if (length(x) != 1 || inherits(x, "AsIs")) return(join(vapply(as.vector(unclass(x)), json, ""), "[", "]"))
  if (is.character(x)) return(paste0("\"", x, "\""))
  if (!is.finite(x)) "null" else sprintf("%.17g", x)
}
write_expected <- function(x, folder) writeLines(json(x), file.path(folder, "expected.json"))
write_csv <- function(x, folder, name) {
  x[] <- lapply(x, function(v) if (is.double(v)) vapply(v, function(u) {
    for (digits in 15:17) if (as.numeric(text <- sprintf("%.*g", digits, u)) == u) break
    text
  }, "") else v)
  write.csv(x, file.path(folder, name), row.names = FALSE, quote = FALSE)
}
