# Cohen's kappa: epiR's value for the plain one, and Fleiss, Cohen & Everitt (1969) written out cell by cell for all.
# Run: Rscript make.R
folder <- dirname(normalizePath(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))))
source(file.path(folder, "..", "write.R"))
suppressMessages(library(epiR))

tables <- list(
  matrix(c(53, 5, 2, 11, 14, 5, 1, 6, 3), 3),
  matrix(c(20, 10, 5, 15), 2),
  matrix(c(45, 4, 6, 45), 2),
  matrix(c(11, 2, 1, 0, 3, 9, 4, 1, 1, 4, 12, 5, 0, 1, 3, 14), 4)
)
kappa <- function(m, w) {
  n <- sum(m); p <- m / n; r <- rowSums(p); s <- colSums(p); k <- nrow(m)
  po <- sum(w * p); pe <- sum(w * outer(r, s)); value <- (po - pe) / (1 - pe)
  total <- 0
  for (i in 1:k) for (j in 1:k) {
    wi <- sum(w[i, ] * s); wj <- sum(w[, j] * r)
    total <- total + p[i, j] * (w[i, j] - (wi + wj) * (1 - value))^2
  }
  se <- sqrt((total - (value - pe * (1 - value))^2) / (n * (1 - pe)^2))
  list(value = value, low = max(value - qnorm(0.975) * se, -1), high = min(value + qnorm(0.975) * se, 1))
}
rows <- lapply(tables, function(m) {
  k <- nrow(m); distance <- abs(outer(1:k, 1:k, "-")) / (k - 1)
  list(
    rows = m, epir = epi.kappa(m)$kappa$est,
    unweighted = kappa(m, diag(k)), linear = kappa(m, 1 - distance), quadratic = kappa(m, 1 - distance^2)
  )
})
write_expected(rows, folder)
