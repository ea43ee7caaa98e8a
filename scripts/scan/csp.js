// Google's CSP evaluator on a policy of standard input: a line a finding, exit 1 where one is of high severity.
const { CspEvaluator } = require("csp_evaluator/dist/evaluator.js");
const { CspParser } = require("csp_evaluator/dist/parser.js");
const { Severity } = require("csp_evaluator/dist/finding.js");

const policy = require("fs").readFileSync(0, "utf8").trim();
const findings = new CspEvaluator(new CspParser(policy).csp).evaluate();
const serious = new Set([Severity.HIGH, Severity.HIGH_MAYBE, Severity.SYNTAX, Severity.MEDIUM]);
for (const { severity, directive, value, description } of findings) {
  console.log(`${Severity[severity] ?? severity} ${directive} ${value ?? ""}: ${description}`);
}
if (!policy || findings.some((finding) => serious.has(finding.severity))) process.exit(1);
