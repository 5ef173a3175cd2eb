void name_scale(const double *raw, float *x)
{
    for (int i = 0; i < @INPUTS@; i++)
        x[i] = (float)((raw[i] - mean_of_x[i]) / deviation_of_x[i]);
}
