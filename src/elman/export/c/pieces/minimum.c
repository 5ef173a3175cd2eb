/* The smaller; not a number if either is none. */
static inline float minimum(float x, float y)
{
    return x < y || x != x ? x : y;
}
