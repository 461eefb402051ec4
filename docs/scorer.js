// The order of search results: the pages of the methods come first, the source last.
var Scorer = {
  score: ([page, title, anchor, description, score]) =>
    score + (page.startsWith("docs/methods/") ? 30 : page.startsWith("_modules/") || page === "CHANGELOG" ? -30 : 0),
  objNameMatch: 11, objPartialMatch: 6,
  objPrio: {0: 15, 1: 5, 2: -5}, objPrioDefault: 0,
  title: 15, partialTitle: 7, term: 5, partialTerm: 2,
};
