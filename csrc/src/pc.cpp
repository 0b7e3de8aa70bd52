#include "pyvalue/pc.hpp"

namespace pyvalue {

void PcSearch::run(const CiTest& test, const Knowledge& knowledge, const PcOptions& options, Monitor& monitor) {
  search_.run(test, knowledge, options.max_depth, options.threads, monitor, skeleton_, options.report_sweeps);
  graph_.reset(skeleton_.adjacent);
  if (!knowledge.empty()) graph_.set_unsupported(skeleton_.unsupported);
  orient_known_edges(knowledge);
  colliders_.run(graph_, skeleton_.sets, knowledge, options.rule, options.priority, search_.sweep(), test.alpha(),
                 options.max_depth, monitor);
  const bool definite = options.rule != ColliderRule::separating_set && options.rule != ColliderRule::max_p;
  if (definite) meek_.apply_definite(graph_, knowledge, colliders_.oriented(), colliders_.noncolliders());
  // causal-learn lets the rules go over the ambiguous triples of definite_max_p as well; the two others never do.
  if (!definite || options.rule == ColliderRule::definite_max_p) meek_.apply(graph_, knowledge);
}

void PcSearch::orient_known_edges(const Knowledge& knowledge) {
  if (knowledge.empty()) return;
  const EndMarks& marks = graph_.marks();
  for (std::size_t i = 0; i < marks.size(); ++i)
    for (std::size_t j = 0; j < marks.size(); ++j)
      if (is_undirected(marks, i, j) && !knowledge.allows(i, j)) graph_.direct(j, i);
}

}  // namespace pyvalue
