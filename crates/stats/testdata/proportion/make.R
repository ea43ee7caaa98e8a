# Intervals of a proportion: base R's binom.test and prop.test, and epiR's five.
# Run: Rscript make.R
folder <- dirname(normalizePath(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))))
source(file.path(folder, "..", "write.R"))
suppressMessages(library(epiR))

cells <- data.frame(
  k = c(49, 42, 91, 0, 10, 1, 9, 5, 670, 640, 1, 99999, 50, 25, 3),
  n = c(50, 50, 100, 10, 10, 10, 10, 10, 744, 842, 100000, 100000, 100, 49, 7)
)
cells <- rbind(cbind(cells, level = 0.95), cbind(cells, level = 0.9), cbind(cells[1:8, ], level = 0.99))
limits <- function(x) list(low = x$lower, high = x$upper)
rows <- lapply(seq_len(nrow(cells)), function(i) {
  k <- cells$k[i]; n <- cells$n[i]; level <- cells$level[i]
  dat <- as.matrix(cbind(k, n))
  exact <- binom.test(k, n, conf.level = level)$conf.int
  corrected <- suppressWarnings(prop.test(k, n, conf.level = level)$conf.int)
  # prop.test shrinks its correction near n/2; there it is not Newcombe's.
  if (abs(k - n / 2) < 0.5) corrected <- c(NA, NA)
  list(
    clopper_pearson = list(low = exact[1], high = exact[2]),
    clopper_pearson_epir = limits(epiR:::zexact(dat, level)),
    wilson = limits(epiR:::zwilson(dat, level)),
    wilson_corrected = list(low = corrected[1], high = corrected[2]),
    jeffreys = limits(epiR:::zjeffreys(dat, level)),
    agresti_coull = limits(epiR:::zagresti(dat, level))
  )
})
write_csv(cells, folder, "cells.csv")
write_expected(rows, folder)
