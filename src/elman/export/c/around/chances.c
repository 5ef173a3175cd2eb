const char *name_class(int c)
{
    return c < 0 || c >= NAME_CLASSES ? "" : classes[c];
}

void name_chances(const float *scores, const double *beside, double *chances)
{
    double most = -INFINITY, total = 0.0;
    for (int c = 0; c < NAME_CLASSES; c++)
        chances[c] = beside == NULL ? scores[c] : beside[c];
    if (!@SEVERAL@ && beside != NULL) { /* log probabilities, as the scores are */
        for (int c = 0; c < NAME_CLASSES; c++)
            most = fmax(most, chances[c]);
        for (int c = 0; c < NAME_CLASSES; c++)
            total += exp(chances[c] - most);
        for (int c = 0; c < NAME_CLASSES; c++)
            chances[c] -= most + log(total);
    }
    most = -INFINITY;
    total = 0.0;
    for (int c = 0; c < NAME_CLASSES; c++) {
        if (beside != NULL)
            chances[c] += @MIX@ * (scores[c] - chances[c]);
        most = fmax(most, chances[c]);
    }
    for (int c = 0; c < NAME_CLASSES; c++) {
        chances[c] = @SEVERAL@ ? 1.0 / (1.0 + exp(-chances[c])) : exp(chances[c] - most);
        total += chances[c];
    }
    for (int c = 0; c < NAME_CLASSES && !@SEVERAL@; c++)
        chances[c] /= total;
}
