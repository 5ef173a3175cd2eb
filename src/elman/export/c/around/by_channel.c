void name_scale(size_t steps, const double *raw, float *x)
{
    for (size_t t = 0; t < steps; t++)
        for (int i = 0; i < @INPUTS@; i++)
            x[t * @INPUTS@ + i] = ((float)raw[t * @INPUTS@ + i] - mean_of_x[i]) / scale_of_x[i];
}
