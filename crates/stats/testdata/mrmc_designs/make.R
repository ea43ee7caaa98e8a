# Obuchowski & Rockette's analysis where readers have not all the same cases, or read under one treatment only; with jackknife and
# unbiased covariances, binary endpoints and several cases of a patient. Every covariance is computed from its definition: the jackknife by
# leaving out and computing anew, the unbiased one by listing all pairs of pairs, DeLong's by summing components within patients; mean
# squares are those of R's own aov. Tests after Hillis (2007, 2014).
# Run: Rscript make.R
folder <- dirname(normalizePath(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))))
source(file.path(folder, "..", "write.R"))
set.seed(23)
RNGkind("Mersenne-Twister", "Inversion", "Rejection")

n <- 24; truth <- rep(c(1, 0, 0, 1), n / 4); patient <- rep(1:(n / 2), each = 2)
effect <- rnorm(n, 0, 0.7)
read <- function(reader, treatment, cases, skill) data.frame(
  reader = reader, treatment = treatment, case = cases, truth = truth[cases], patient = patient[cases],
  rating = pmax(1, pmin(5, round(2.6 + 1.1 * skill * truth[cases] + effect[cases] + rnorm(length(cases), 0, 0.9)))))
skill <- c(R1 = 1.5, R2 = 1.1, R3 = 0.8, R4 = 1.3, R5 = 1.0, R6 = 1.2, R7 = 0.9); gain <- c(aided = 0.6, plain = 0)
both <- function(cases_of) do.call(rbind, lapply(names(gain), function(t) do.call(rbind, lapply(names(skill)[1:4], function(r)
  read(r, t, cases_of(r, t), skill[[r]] + gain[[t]])))))
sets <- list(
  crossed = both(function(r, t) 1:n),
  # Two groups of readers, each with its own block of cases.
  blocks = both(function(r, t) if (r %in% c("R1", "R2")) 1:(n / 2) else (n / 2 + 1):n),
  # Each reader misses some cases, not the same under both treatments.
  missing = both(function(r, t) setdiff(1:n, sample(n, 5))),
  # Readers nested in treatments, as many in each, and not.
  split = do.call(rbind, lapply(1:6, function(k) { t <- names(gain)[1 + (k > 3)]; read(names(skill)[k], t, 1:n, skill[[k]] + gain[[t]]) })),
  uneven = do.call(rbind, lapply(1:7, function(k) { t <- names(gain)[1 + (k > 3)]; read(names(skill)[k], t, 1:n, skill[[k]] + gain[[t]]) }))
)

psi <- function(d) outer(d$rating[d$truth == 1], d$rating[d$truth == 0], function(x, y) (x > y) + (x == y) / 2)
merits <- list(auc = function(d) mean(psi(d)), sensitivity = function(d) mean(d$rating[d$truth == 1] >= 3),
               specificity = function(d) mean(d$rating[d$truth == 0] < 3))

jackknife <- function(cells, merit, unit, units) {
  without <- sapply(cells, function(d) sapply(units, function(u) merit(d[d[[unit]] != u, ])))
  (length(units) - 1) / length(units) * crossprod(scale(without, scale = FALSE))
}
unbiased <- function(cells) {
  pairs <- lapply(cells, function(d) {
    p <- which(d$truth == 1); q <- which(d$truth == 0); g <- expand.grid(p = p, q = q)
    data.frame(p = d$case[g$p], q = d$case[g$q], psi = (d$rating[g$p] > d$rating[g$q]) + (d$rating[g$p] == d$rating[g$q]) / 2)
  })
  outer(seq_along(pairs), seq_along(pairs), Vectorize(function(a, b) {
    x <- pairs[[a]]; y <- pairs[[b]]
    apart <- outer(x$p, y$p, "!=") & outer(x$q, y$q, "!=")
    mean(x$psi) * mean(y$psi) - mean(outer(x$psi, y$psi)[apart])
  }))
}
delong <- function(cells, unit, units) {
  parts <- lapply(cells, function(d) {
    k <- psi(d); p <- d[d$truth == 1, ]; q <- d[d$truth == 0, ]
    sums <- function(e, v) sapply(units, function(u) sum(v[e[[unit]] == u]))
    has <- function(e) sapply(units, function(u) any(e[[unit]] == u)); f <- function(i) sqrt(i / (i - 1))
    list(x = sums(p, rowMeans(k) - mean(k)) / nrow(p), y = sums(q, colMeans(k) - mean(k)) / nrow(q),
         f10 = f(sum(has(p))), f01 = f(sum(has(q))), f11 = f(sum(has(d))))
  })
  outer(seq_along(parts), seq_along(parts), Vectorize(function(i, j) {
    a <- parts[[i]]; b <- parts[[j]]
    a$f10 * b$f10 * sum(a$x * b$x) + a$f01 * b$f01 * sum(a$y * b$y) + a$f11 * b$f11 * sum(a$x * b$y + a$y * b$x)
  }))
}

analyze <- function(data, endpoint, method, unit) {
  merit <- merits[[endpoint]]
  # Only cases with a part in the endpoint are left out in turn.
  part <- switch(endpoint, auc = c(0, 1), sensitivity = 1, specificity = 0)
  units <- sort(unique(data[[unit]][data$truth %in% part]))
  keys <- unique(data[c("treatment", "reader")])
  cells <- lapply(seq_len(nrow(keys)), function(i) data[data$treatment == keys$treatment[i] & data$reader == keys$reader[i], ])
  theta <- sapply(cells, merit)
  covariance <- switch(method, jackknife = jackknife(cells, merit, unit, units), unbiased = unbiased(cells), delong = delong(cells, unit, units))
  same_t <- outer(keys$treatment, keys$treatment, "=="); same_r <- outer(keys$reader, keys$reader, "==")
  error <- mean(diag(covariance)); cov2 <- mean(covariance[same_t & !same_r]); cov3 <- mean(covariance[!same_t & !same_r])
  nested <- all(table(unique(keys)$reader) == 1)
  table <- data.frame(theta = theta, treatment = factor(keys$treatment), reader = factor(keys$reader))
  means <- tapply(theta, keys$treatment, mean)
  counts <- as.numeric(table(keys$treatment)); r <- length(counts) / sum(1 / counts)
  between <- max(cov2 - cov3, 0); value <- means[["aided"]] - means[["plain"]]
  if (nested) {
    square <- summary(aov(theta ~ treatment, table))[[1]][["Mean Sq"]][2]; df <- sum(counts - 1)
    fixed <- error - cov2 + r * between
  } else {
    square <- summary(aov(theta ~ treatment + reader + treatment:reader, table))[[1]][["Mean Sq"]][3]; df <- counts[1] - 1
    fixed <- error - mean(covariance[!same_t & same_r]) + (r - 1) * between
  }
  test <- function(denominator, df) {
    se <- sqrt(2 * denominator / r)
    list(value = value, se = se, df = if (is.finite(df)) df else NULL,
         p = if (is.finite(df)) 2 * pt(-abs(value / se), df) else 2 * pnorm(-abs(value / se)))
  }
  denominator <- square + r * between
  list(error = error, cov2 = cov2, cov3 = cov3, both = test(denominator, denominator^2 / (square^2 / df)),
       readers = test(square, df), cases = test(fixed, Inf))
}

plans <- rbind(
  expand.grid(set = names(sets), endpoint = names(merits), method = "jackknife", unit = c("case", "patient"), stringsAsFactors = FALSE),
  expand.grid(set = names(sets), endpoint = "auc", method = "delong", unit = c("case", "patient"), stringsAsFactors = FALSE),
  expand.grid(set = names(sets), endpoint = "auc", method = "unbiased", unit = "case", stringsAsFactors = FALSE))
analyses <- lapply(seq_len(nrow(plans)), function(i) {
  plan <- as.list(plans[i, ])
  c(plan, analyze(sets[[plan$set]], plan$endpoint, plan$method, plan$unit))
})
for (name in names(sets)) write_csv(sets[[name]], folder, paste0(name, ".csv"))
write_expected(list(analyses = analyses), folder)
