# Sample size and power: pROC's power.roc.test for one area and, from the auc folder's data, for two paired areas.
# Run: Rscript make.R (after auc/make.R)
folder <- dirname(normalizePath(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))))
source(file.path(folder, "..", "write.R"))
suppressMessages(library(pROC))

one <- list()
for (auc in c(0.6, 0.75, 0.9, 0.98)) for (kappa in c(0.5, 1, 4)) for (alternative in c("two.sided", "one.sided")) {
  size <- power.roc.test(auc = auc, power = 0.9, kappa = kappa, sig.level = 0.05, alternative = alternative)
  power <- power.roc.test(auc = auc, ncases = 20, ncontrols = 20 * kappa, sig.level = 0.01, alternative = alternative)
  one[[length(one) + 1]] <- list(
    auc = auc, kappa = kappa, sides = alternative, cases = size$ncases, controls = size$ncontrols, power_of_20 = power$power
  )
}
data <- read.csv(file.path(folder, "..", "auc", "scores.csv"))
two <- list()
for (set in c("continuous", "ties", "imbalance", "large")) {
  d <- data[data$set == set, ]
  ra <- roc(d$truth, d$a, levels = c(0, 1), direction = "<", quiet = TRUE)
  rb <- roc(d$truth, d$b, levels = c(0, 1), direction = "<", quiet = TRUE)
  size <- power.roc.test(ra, rb, power = 0.8, method = "delong")
  # pROC takes the difference's sign into sqrt(nd * delta^2), so that the order does not matter.
  power <- power.roc.test(ra, rb, method = "delong")
  two[[set]] <- list(cases = as.numeric(size$ncases), controls = as.numeric(size$ncontrols), power = as.numeric(power$power))
}
write_expected(list(one = one, two = two), folder)
