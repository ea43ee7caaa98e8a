# Reading times by a linear mixed model: lme4's REML fit of log(seconds) ~ arm with random intercepts of readers and films, and the
# Satterthwaite degrees of freedom of lmerTest. Four designs: crossed with missing readings, readers nested in arms, three arms, and
# films that do not differ, whose variance is estimated as zero.
# Run: Rscript make.R
suppressPackageStartupMessages(library(lmerTest))
folder <- dirname(normalizePath(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))))
source(file.path(folder, "..", "write.R"))
set.seed(19)
study <- function(readers, films, arms, sd, nested = FALSE, missing = 0) {
  d <- expand.grid(film = seq_len(films), reader = seq_len(readers), arm = letters[seq_len(arms)])
  if (nested) d <- d[(d$reader - 1) %% arms + 1 == match(d$arm, letters), ]
  mean <- 3 - 0.15 * (match(d$arm, letters) - 1) + rnorm(readers, 0, sd[1])[d$reader] + rnorm(films, 0, sd[2])[d$film]
  d$seconds <- round(exp(mean + rnorm(nrow(d), 0, sd[3])), 3)
  d[sort(sample(nrow(d), nrow(d) - missing)), c("arm", "reader", "film", "seconds")]
}
studies <- list(crossed = study(6, 15, 2, c(0.3, 0.2, 0.4), missing = 17), nested = study(9, 12, 2, c(0.3, 0.2, 0.4), nested = TRUE),
                three = study(5, 10, 3, c(0.4, 0.3, 0.3)), flat = study(6, 12, 2, c(0.3, 0, 0.5)))
fit <- function(name) {
  d <- studies[[name]]
  write_csv(d, folder, paste0(name, ".csv"))
  d[c("reader", "film")] <- lapply(d[c("reader", "film")], factor)
  control <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhobeg = 0.1, rhoend = 1e-10, maxfun = 1e5), calc.derivs = FALSE)
  model <- lmer(log(seconds) ~ 0 + arm + (1 | reader) + (1 | film), d, control = control)
  sd <- as.data.frame(VarCorr(model)); sd <- setNames(sd$sdcor, sd$grp)
  arms <- length(fixef(model))
  contrast <- function(l) { of <- contest1D(model, l, confint = TRUE); names(of) <- c("value", "se", "df", "t", "low", "high", "p"); as.list(of) }
  unit <- diag(arms); pairs <- combn(arms, 2)
  list(observations = nrow(d), reader = sd[["reader"]], film = sd[["film"]], error = sd[["Residual"]], criterion = REMLcrit(model),
       means = lapply(seq_len(arms), function(i) contrast(unit[i, ])),
       differences = lapply(seq_len(ncol(pairs)), function(k) contrast(unit[pairs[1, k], ] - unit[pairs[2, k], ])))
}
write_expected(setNames(lapply(names(studies), fit), names(studies)), folder)
