void name_scale(size_t steps, const double *raw, float *x)
{
    for (int i = 0; i < @INPUTS@; i++) {
        double mean = 0.0, variance = 0.0, deviation;
        for (size_t t = 0; t < steps; t++)
            mean += raw[t * @INPUTS@ + i] / (double)steps;
        for (size_t t = 0; t < steps; t++) {
            const double gap = raw[t * @INPUTS@ + i] - mean;
            variance += gap * gap / (double)steps;
        }
        deviation = sqrt(variance);
        for (size_t t = 0; t < steps; t++) {
            const double gap = raw[t * @INPUTS@ + i] - mean;
            x[t * @INPUTS@ + i] = (float)(deviation < 1e-6 ? gap : gap / deviation);
        }
    }
}
