"""References of the methods that the package uses, by a key; which of them a report names is found by ``methods``."""

from __future__ import annotations

from collections.abc import Mapping

#: key -> (short form for a text, full reference)
CITATIONS: Mapping[str, tuple[str, str]] = {
    "pc": (
        "Spirtes, Glymour & Scheines 2000",
        "Spirtes, P., Glymour, C., & Scheines, R. (2000). Causation, prediction, and search (2nd ed.). MIT Press.",
    ),
    "stable": (
        "Colombo & Maathuis 2014",
        "Colombo, D., & Maathuis, M. H. (2014). Order-independent constraint-based causal structure learning. Journal "
        "of Machine Learning Research, 15, 3921–3962.",
    ),
    "meek": (
        "Meek 1995",
        "Meek, C. (1995). Causal inference and causal explanation with background knowledge. In Proceedings of the "
        "11th Conference on Uncertainty in Artificial Intelligence (pp. 403–410).",
    ),
    "conservative": (
        "Ramsey, Zhang & Spirtes 2006",
        "Ramsey, J., Zhang, J., & Spirtes, P. (2006). Adjacency-faithfulness and conservative causal inference. In "
        "Proceedings of the 22nd Conference on Uncertainty in Artificial Intelligence (pp. 401–408).",
    ),
    "degenerate": (
        "Andrews, Ramsey & Cooper 2019",
        "Andrews, B., Ramsey, J., & Cooper, G. F. (2019). Learning high-dimensional directed acyclic graphs with mixed "
        "data-types. Proceedings of Machine Learning Research, 104, 4–21.",
    ),
    "rcot": (
        "Strobl, Zhang & Visweswaran 2019",
        "Strobl, E. V., Zhang, K., & Visweswaran, S. (2019). Approximate kernel-based conditional independence tests "
        "for fast non-parametric causal discovery. Journal of Causal Inference, 7(1).",
    ),
    "causal-learn": (
        "Zheng et al. 2024",
        "Zheng, Y., Huang, B., Chen, W., Ramsey, J., Gong, M., Cai, R., Shimizu, S., Spirtes, P., & Zhang, K. (2024). "
        "Causal-learn: Causal discovery in Python. Journal of Machine Learning Research, 25(60), 1–8.",
    ),
    "bootstrap": (
        "Friedman, Goldszmidt & Wyner 1999",
        "Friedman, N., Goldszmidt, M., & Wyner, A. (1999). Data analysis with Bayesian networks: A bootstrap approach. "
        "In Proceedings of the 15th Conference on Uncertainty in Artificial Intelligence (pp. 196–205).",
    ),
    "subsample": (
        "Meinshausen & Bühlmann 2010",
        "Meinshausen, N., & Bühlmann, P. (2010). Stability selection. Journal of the Royal Statistical Society: Series "
        "B, 72(4), 417–473.",
    ),
    "pairs": (
        "Shah & Samworth 2013",
        "Shah, R. D., & Samworth, R. J. (2013). Variable selection with error control: Another look at stability "
        "selection. Journal of the Royal Statistical Society: Series B, 75(1), 55–80.",
    ),
    "clusters": (
        "Liang & Zeger 1986",
        "Liang, K.-Y., & Zeger, S. L. (1986). Longitudinal data analysis using generalized linear models. Biometrika, "
        "73(1), 13–22.",
    ),
    "two-way": (
        "Cameron, Gelbach & Miller 2011",
        "Cameron, A. C., Gelbach, J. B., & Miller, D. L. (2011). Robust inference with multiway clustering. Journal of "
        "Business & Economic Statistics, 29(2), 238–249.",
    ),
    "threshold": (
        "Scutari & Nagarajan 2013",
        "Scutari, M., & Nagarajan, R. (2013). Identifying significant edges in graphical models of molecular networks. "
        "Artificial Intelligence in Medicine, 57(3), 207–217.",
    ),
    "ida": (
        "Maathuis, Kalisch & Bühlmann 2009",
        "Maathuis, M. H., Kalisch, M., & Bühlmann, P. (2009). Estimating high-dimensional intervention effects from "
        "observational data. The Annals of Statistics, 37(6A), 3133–3164.",
    ),
    "joint": (
        "Nandy, Maathuis & Richardson 2017",
        "Nandy, P., Maathuis, M. H., & Richardson, T. S. (2017). Estimating the effect of joint interventions from "
        "observational data in sparse high-dimensional settings. The Annals of Statistics, 45(2), 647–674.",
    ),
    "schwartz": (
        "Schwartz 1992",
        "Schwartz, S. H. (1992). Universals in the content and structure of values: Theoretical advances and empirical "
        "tests in 20 countries. Advances in Experimental Social Psychology, 25, 1–65.",
    ),
    "bardi": (
        "Schwartz & Bardi 2001",
        "Schwartz, S. H., & Bardi, A. (2001). Value hierarchies across cultures: Taking a similarities perspective. "
        "Journal of Cross-Cultural Psychology, 32(3), 268–290.",
    ),
    "calibration": (
        "Zhao et al. 2021",
        "Zhao, Z., Wallace, E., Feng, S., Klein, D., & Singh, S. (2021). Calibrate before use: Improving few-shot "
        "performance of language models. Proceedings of Machine Learning Research, 139, 12697–12706.",
    ),
    "alpha": ("Cronbach 1951", "Cronbach, L. J. (1951). Coefficient alpha and the internal structure of tests. "
              "Psychometrika, 16(3), 297–334."),
    "feldt": (
        "Feldt 1965",
        "Feldt, L. S. (1965). The approximate sampling distribution of Kuder-Richardson reliability coefficient "
        "twenty. Psychometrika, 30(3), 357–370.",
    ),
    "icc": (
        "Shrout & Fleiss 1979",
        "Shrout, P. E., & Fleiss, J. L. (1979). Intraclass correlations: Uses in assessing rater reliability. "
        "Psychological Bulletin, 86(2), 420–428.",
    ),
    "kang": (
        "Kang et al. 2025",
        "Kang, Y., Wang, J., Li, Y., Wang, M., Tu, W., Wang, Q., Li, H., Wu, T., Feng, X., Zhong, F., & Zheng, Z. "
        "(2025). Are the values of LLMs structurally aligned with humans? A causal perspective. In Findings of the "
        "Association for Computational Linguistics: ACL 2025 (pp. 23147–23161).",
    ),
    "mover": (
        "Donner & Zou 2012",
        "Donner, A., & Zou, G. Y. (2012). Closed-form confidence intervals for functions of the normal mean and "
        "standard deviation. Statistical Methods in Medical Research, 21(4), 347–359.",
    ),
    "wilson": (
        "Wilson 1927",
        "Wilson, E. B. (1927). Probable inference, the law of succession, and statistical inference. Journal of the "
        "American Statistical Association, 22(158), 209–212.",
    ),
    "holm": (
        "Holm 1979",
        "Holm, S. (1979). A simple sequentially rejective multiple test procedure. Scandinavian Journal of Statistics, "
        "6(2), 65–70.",
    ),
    "fdr": (
        "Benjamini & Hochberg 1995",
        "Benjamini, Y., & Hochberg, Y. (1995). Controlling the false discovery rate: A practical and powerful approach "
        "to multiple testing. Journal of the Royal Statistical Society: Series B, 57(1), 289–300.",
    ),
    "maxt": (
        "Westfall & Young 1993",
        "Westfall, P. H., & Young, S. S. (1993). Resampling-based multiple testing: Examples and methods for p-value "
        "adjustment. Wiley.",
    ),
    "aid": (
        "Henckel, Würtzen & Weichwald 2024",
        "Henckel, L., Würtzen, T., & Weichwald, S. (2024). Adjustment identification distance: A gadjid for causal "
        "structure learning. Proceedings of Machine Learning Research, 244.",
    ),
}  # fmt: skip
